//! A connection to a service, and how its answers are shown: what the client commands share.

use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::{CommandError, Kind};
use crate::exit::{self, Style};
use crate::view::document;
use crate::view::output::Output;
use crate::view::page::View;
use crate::view::terminal::{Terminal, write_document};
use crate::view::text::{Line, Text};
use crate::view::times::{RelativeTime, Times};
use countersign_api::wire::RequestBody;
use countersign_app::host::{Clock as _, Ids as _};
use countersign_client::change::Change;
use countersign_client::connection::Connection;
use countersign_client::credential::person;
use countersign_client::profile;
use countersign_core::person::PersonId;
use countersign_core::text::escaped_line;
use countersign_identity::jws;
use countersign_system::system::SystemHost;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write as _;

/// A connection, and how its answers are shown.
#[derive(Debug)]
pub struct Session {
    /// The service.
    pub connection: Connection,
    /// The terminal.
    pub terminal: Terminal,
    /// The clock, and fresh keys.
    pub host: SystemHost,
    /// In which form answers are printed.
    pub output: Output,
    /// The form of times.
    pub times: Times,
}

/// Where a request stands after a command, and what that means for the command.
#[derive(Debug)]
pub struct Standing {
    /// The request.
    pub request: RequestBody,
    /// How the command ends once the request is shown.
    pub end: Result<(), CommandError>,
}

impl From<RequestBody> for Standing {
    fn from(request: RequestBody) -> Self {
        Self { request, end: Ok(()) }
    }
}

impl Session {
    /// Opens one.
    ///
    /// # Errors
    /// As for [`Connection::open`].
    pub fn open(arguments: &ConnectionArguments) -> Result<Self, CommandError> {
        Ok(Self {
            connection: Connection::open(&profile::settings(&arguments.overrides())?, aws::signer)?,
            terminal: Terminal::of_process(),
            host: SystemHost::default(),
            output: arguments.output(),
            times: arguments.times(),
        })
    }

    /// How things are shown now.
    pub fn view(&self) -> View {
        View {
            moment: RelativeTime { now: self.host.now(), times: self.times },
            width: self.terminal.width(),
        }
    }

    /// A key that names one change.
    pub fn fresh_key(&self) -> String {
        self.host.request_id().to_string()
    }

    /// Prints an answer: as it came, or as people read it.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn show<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(&View) -> Text,
    ) -> Result<(), CommandError> {
        self.output.print(self.terminal, answer, || text(&self.view()))
    }

    /// Prints one answer after the other, each as it comes: a line each, of JSON where programs read it.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn show_each<T: Serialize>(
        &self,
        answers: &[T],
        line: impl Fn(&View, &T) -> Line,
    ) -> Result<(), CommandError> {
        if self.output.is_for_people() {
            let mut text = Text::default();
            text.extend(answers.iter().map(|answer| line(&self.view(), answer)));
            return self.terminal.print(&text);
        }
        for answer in answers {
            write_document(&document::json_line(answer)?)?;
        }
        Ok(())
    }

    /// Says on stderr what a person or a program must not miss.
    pub fn warn(&self, text: &str) {
        // Nothing is lost if it cannot be written: the answer has it as well.
        let _ = writeln!(std::io::stderr(), "warning: {}", escaped_line(text));
    }

    /// Goes through the requests that the caller names. One that fails holds up no other: its error is printed
    /// where its answer would have been. Of one request the answer is the request; of several it is one
    /// document with a member for each.
    ///
    /// # Errors
    /// The last thing that went wrong.
    pub fn each(
        &self,
        names: &[String],
        mut act: impl FnMut(&str) -> Result<Standing, CommandError>,
        text: impl Fn(&View, &RequestBody) -> Text,
    ) -> Result<(), CommandError> {
        if let [name] = names {
            let Standing { request, end } = act(name)?;
            self.show(&request, |view| text(view, &request))?;
            return end;
        }
        let mut items = Vec::new();
        let mut failures = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if index > 0 && self.output.is_for_people() {
                self.terminal.print(&Text::of_line(""))?;
            }
            let mut item = json!({ "id": name });
            let mut put = |member: &str, value: Value| {
                item.as_object_mut().map(|item| item.insert(member.to_owned(), value))
            };
            let end = match act(name) {
                Ok(Standing { request, end }) if self.output.is_document() => {
                    put("request", json!(request));
                    end
                }
                Ok(Standing { request, end }) => self.show(&request, |view| text(view, &request)).and(end),
                Err(error) => Err(error),
            };
            if let Err(error) = end {
                put("error", exit::as_json(&error));
                let message = error.to_string();
                if !self.output.is_document() && !message.is_empty() {
                    let named = format!("{}: {message}", escaped_line(name));
                    exit::tell(&error.clone().explained(named), Style::Text);
                }
                failures.push(error);
            }
            items.push(item);
            // Ctrl-C ends the whole command.
            if failures.last().is_some_and(|error| error.kind() == Kind::Interrupted) {
                break;
            }
        }
        if self.output.is_document() {
            self.show(&json!({ "items": items }), |_| Text::default())?;
        }
        let count = failures.len();
        match failures.pop() {
            None => Ok(()),
            Some(last) if self.output.is_document() => {
                Err(CommandError::Several { failed: count, all: names.len(), last: Box::new(last) })
            }
            // It is printed already.
            Some(last) => Err(last.silenced()),
        }
    }

    /// Says something besides the answer, to a person.
    pub fn note(&self, text: &str) {
        if !self.output.is_document() {
            // Nothing is lost if it cannot be written.
            let _ = writeln!(std::io::stderr(), "note: {text}");
        }
    }

    /// The caller, as answers name them; empty if their token does not say.
    ///
    /// # Errors
    /// When there is no token.
    pub fn person(&self) -> Result<String, CommandError> {
        if self.connection.signer().is_some() {
            return Ok(String::new());
        }
        let Some(token) = self.connection.token()? else {
            return Err(CommandError::Refused(
                "nobody: set COUNTERSIGN_TOKEN to a token, or run `countersign login`".to_owned(),
            ));
        };
        let person = jws::claims(token.expose()).map(|claims| person(&claims)).unwrap_or_default();
        Ok(PersonId::from_email(&person).map_or(person, |person| person.to_string()))
    }

    /// Shows a request, all of it.
    ///
    /// # Errors
    /// As for [`Self::show`].
    pub fn show_request(&self, request: &RequestBody) -> Result<(), CommandError> {
        self.show(request, |view| view.request(request))
    }

    /// Changes the request that the caller names, and shows what became of it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn change(&self, name: &str, change: &Change) -> Result<(), CommandError> {
        let before = self.connection.find(name)?;
        let after = self.connection.change(&before.request_id, change, &self.fresh_key())?;
        self.show_request(&after)?;
        Ok(change.check(Some(&before), &after)?)
    }
}
