//! `countersign dashboard`: the service's web pages, in a browser that signs in by a code in place of the token.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::session::Session;
use crate::view::text::{Line, Text};
use clap::Args;
use countersign_api::wire::SignInCodeBody;
use countersign_client::error::Error;
use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

/// What opens a URL on this machine.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// `countersign dashboard`.
#[derive(Debug, Clone, Args)]
pub struct DashboardArguments {
    /// Print the URL, and open no browser
    #[arg(long)]
    pub no_browser: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Opens the dashboard.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &DashboardArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let (code, gives_codes) = match session.connection.sign_in_code() {
        // API Gateway has no such route: on AWS people sign in on the page itself.
        Err(Error::Refused(refusal)) if refusal.status == 404 && refusal.problem.is_none() => {
            (SignInCodeBody { url: format!("{}/inbox", session.connection.url()) }, false)
        }
        code => (code?, true),
    };
    let is_watched = std::io::stdout().is_terminal();
    let is_opened = is_watched && !arguments.no_browser && is_opened(&code.url);
    session.show(&code, |_| {
        let mut text = Text::of_line(&code.url);
        text.push(Line::plain(match (gives_codes, is_opened) {
            (true, true) => "opened in a browser; the page names you, and `Sign in` there signs you in",
            (true, false) => "open it in a browser on this machine within a minute; it works once",
            (false, true) => "opened in a browser; sign in there",
            (false, false) => "open it in a browser, and sign in there",
        }));
        text
    })
}

/// Whether a browser was asked to open it. That it does cannot be known.
fn is_opened(url: &str) -> bool {
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
