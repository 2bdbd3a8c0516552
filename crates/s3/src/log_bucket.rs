//! A bucket that holds a log: a file is an object, under the path that it has below the log's own.
//!
//! A write says what it expects to find (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>): a
//! tile goes where nothing is, and a checkpoint where the one is that it follows. So sealers may race.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use countersign_app::log::{CHECKPOINT, LogStorage, LogStorageError, StoredCheckpoint};
use countersign_audit::note::MAX_NOTE_BYTES;
use countersign_audit::tile::MAX_TILE_BYTES;
use std::time::Duration;

/// How often a write is tried while S3 says that another one of the same object is under way.
const TRIES: usize = 3;

/// Such a bucket.
#[derive(Debug, Clone)]
pub struct LogBucket {
    client: Client,
    name: String,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy)]
enum Expected<'a> {
    /// No object.
    Nothing,
    /// The one with this tag.
    Tag(&'a str),
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It is there.
    Done,
    /// What it expected is not there.
    Refused,
}

impl LogBucket {
    /// A bucket of this name, through a client that the shell has built.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// The same, with a client of its own. An address that is not AWS's has no names of buckets before it.
    pub fn connect(aws: &SdkConfig, name: String) -> Self {
        let is_elsewhere = aws.endpoint_url().is_some();
        let configuration =
            Builder::from(aws).force_path_style(is_elsewhere).timeout_config(timeouts()).build();
        Self::new(Client::from_conf(configuration), name)
    }

    /// An object, if it is there. Needs `s3:ListBucket` too: without it S3 does not say that nothing is there.
    async fn object(&self, key: &str) -> Result<Option<GetObjectOutput>, LogStorageError> {
        match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The bytes of an object and its tag, if it is there.
    pub(crate) async fn read(
        &self,
        key: &str,
        at_most: usize,
    ) -> Result<Option<(Vec<u8>, String)>, LogStorageError> {
        let Some(object) = self.object(key).await? else { return Ok(None) };
        let length = object.content_length.and_then(|length| usize::try_from(length).ok());
        if length.is_none_or(|length| length > at_most) {
            return Err(LogStorageError::Unavailable(format!("{key} is longer than it can be")));
        }
        let tag = object.e_tag.unwrap_or_default();
        let bytes = object.body.collect().await;
        let bytes =
            bytes.map_err(|_| LogStorageError::Unavailable(format!("S3 did not send all of {key}")))?;
        Ok(Some((bytes.to_vec(), tag)))
    }

    /// Writes an object where what is expected is. A write that meets another of the same object is sent again: what it
    /// expected may still be there.
    async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        content_type: &str,
        expected: Expected<'_>,
    ) -> Result<Written, LogStorageError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let write = self.client.put_object().bucket(&self.name).key(key).content_type(content_type);
            let write = match expected {
                Expected::Nothing => write.if_none_match("*"),
                Expected::Tag(tag) => write.if_match(tag),
            };
            match write.body(ByteStream::from(bytes.to_vec())).send().await {
                Ok(_) => return Ok(Written::Done),
                // What was to be replaced is another one, or is not there at all.
                Err(error) if matches!(error.code(), Some("PreconditionFailed" | "NoSuchKey")) => {
                    return Ok(Written::Refused);
                }
                Err(error) if error.code() == Some("ConditionalRequestConflict") && tries < TRIES => {}
                Err(error) => return Err(unavailable(&error)),
            }
        }
    }
}

/// Longer than a call of the database may take: files may have megabytes, and no caller at a terminal waits for them.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(4))
        .connect_timeout(Duration::from_secs(1))
        .build()
}

/// What S3 answered, by its code alone.
fn unavailable<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> LogStorageError {
    let text = match error {
        SdkError::ServiceError(service) => {
            format!("S3 answered {}", service.err().code().unwrap_or("an error without a code"))
        }
        _ => "S3 does not answer".to_owned(),
    };
    LogStorageError::Unavailable(text)
}

impl LogStorage for LogBucket {
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LogStorageError> {
        Ok(self.read(path, MAX_TILE_BYTES).await?.map(|(bytes, _)| bytes))
    }

    async fn put_new(&self, path: &str, bytes: &[u8]) -> Result<(), LogStorageError> {
        let content_type = "application/octet-stream";
        if self.write(path, bytes, content_type, Expected::Nothing).await? == Written::Done {
            return Ok(());
        }
        match self.get(path).await? {
            Some(there) if there == bytes => Ok(()),
            Some(_) => Err(LogStorageError::Diverged(path.to_owned())),
            None => Err(LogStorageError::Unavailable(format!("S3 has {path} and does not give it out"))),
        }
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, LogStorageError> {
        let Some((bytes, tag)) = self.read(CHECKPOINT, MAX_NOTE_BYTES).await? else { return Ok(None) };
        let note = String::from_utf8(bytes)
            .map_err(|_| LogStorageError::Diverged("the checkpoint is not a text, and so".to_owned()))?;
        Ok(Some(StoredCheckpoint { note, tag }))
    }

    async fn replace_checkpoint(&self, tag: Option<&str>, note: &str) -> Result<bool, LogStorageError> {
        let expected = tag.map_or(Expected::Nothing, Expected::Tag);
        let content_type = "text/plain; charset=utf-8";
        Ok(self.write(CHECKPOINT, note.as_bytes(), content_type, expected).await? == Written::Done)
    }
}
