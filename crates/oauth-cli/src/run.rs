//! From the argument list to the exit code.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::{ArgMatches, FromArgMatches, parser::ValueSource};

use crate::{
    arguments::{self, Cli, Subcommands},
    emulate,
    failure::Failure,
    inspect, login,
    options::{Options, Output, StoreUrl},
    providers, revoke, serve,
    session::Running,
    signals,
    terminal::{red, say},
    token, tokens,
};

/// What a shell says of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// Runs the command that `arguments` name, the program's own name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let json = wants_json(&arguments);
    let parsed = arguments::command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refused(&error, json),
    };
    let mut command = cli.command;
    let result = check(&matches).and_then(|()| command.apply_profile());
    let json = json || command.wants_json();
    match result.and_then(|()| start(command)) {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure, json);
            failure.exit_code()
        }
    }
}

fn start(command: Subcommands) -> Result<ExitCode, Failure> {
    match command {
        Subcommands::Providers(arguments) => providers::run(&arguments).map(|()| ExitCode::SUCCESS),
        Subcommands::Completions { shell } => {
            let mut completions = Vec::new();
            clap_complete::generate(shell, &mut arguments::command(), "oauth", &mut completions);
            crate::terminal::print(String::from_utf8_lossy(&completions).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let runtime = if command.is_server() {
                tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()
            } else {
                // Threads would take longer to start than a token to be read.
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
            };
            let runtime =
                runtime.map_err(|error| Failure::io("the program cannot start", &error))?;
            let result = runtime.block_on(run(command));
            // A keyring that asks the user must not keep a program that has ended.
            runtime.shutdown_background();
            result
        }
    }
}

async fn run(command: Subcommands) -> Result<ExitCode, Failure> {
    // It ends with the process: a file that was only read is not closed behind our back.
    let running: &Running = Box::leak(Box::default());
    let limit = command.timeout();
    let is_server = command.is_server();
    let work = Box::pin(act(command, running));
    if is_server {
        return work.await.map(|()| ExitCode::SUCCESS);
    }
    let stop = signals::stop();
    let result = tokio::select! {
        result = work => result.map(|()| ExitCode::SUCCESS),
        result = stopped(stop, limit) => {
            running.settle().await;
            result
        }
    };
    running.close().await;
    result
}

async fn act(command: Subcommands, running: &Running) -> Result<(), Failure> {
    match command {
        Subcommands::Token(options) => token::run(*options, running).await,
        Subcommands::Login(arguments) => login::run(*arguments, running).await,
        Subcommands::Validate(options) => inspect::validate(*options, running).await,
        Subcommands::Introspect(options) => inspect::introspect(*options, running).await,
        Subcommands::Userinfo(options) => inspect::userinfo(*options, running).await,
        Subcommands::Revoke(arguments) => revoke::run(*arguments, running).await,
        Subcommands::Tokens(arguments) => tokens::run(arguments.command, running).await,
        Subcommands::Serve(arguments) => serve::run(&arguments).await,
        Subcommands::Emulate(arguments) => emulate::run(&arguments).await,
        // Done without a runtime.
        Subcommands::Providers(_) | Subcommands::Completions { .. } => Ok(()),
    }
}

/// Until a signal comes, or the time is over.
async fn stopped(
    stop: impl Future<Output = ()>,
    limit: Option<Duration>,
) -> Result<ExitCode, Failure> {
    tokio::select! {
        () = stop => Ok(ExitCode::from(INTERRUPTED)),
        () = sleep(limit) => Err(Failure::transport("the time limit of the whole command is over; see --timeout")),
    }
}

async fn sleep(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

impl Subcommands {
    /// Runs until it is stopped, and waits for that itself.
    fn is_server(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Emulate(_))
    }

    fn options(&self) -> Option<&Options> {
        match self {
            Self::Token(options)
            | Self::Validate(options)
            | Self::Introspect(options)
            | Self::Userinfo(options) => Some(options),
            Self::Login(arguments) => Some(&arguments.options),
            Self::Revoke(arguments) => Some(&arguments.options),
            _ => None,
        }
    }

    /// Takes what the profile says of everything that is not set yet.
    fn apply_profile(&mut self) -> Result<(), Failure> {
        match self {
            Self::Token(options)
            | Self::Validate(options)
            | Self::Introspect(options)
            | Self::Userinfo(options) => options.apply_profile(),
            Self::Login(arguments) => arguments.options.apply_profile(),
            Self::Revoke(arguments) => arguments.options.apply_profile(),
            Self::Tokens(arguments) => arguments.command.apply_profile(),
            Self::Serve(_) | Self::Emulate(_) | Self::Providers(_) | Self::Completions { .. } => {
                Ok(())
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let limit = self.options()?.timeout?;
        Some(limit.0)
    }

    fn wants_json(&self) -> bool {
        let output = match self {
            Self::Tokens(tokens) => tokens.command.store().output,
            Self::Serve(serve) => serve.output,
            Self::Emulate(emulate) => emulate.output,
            Self::Providers(providers) => providers.output,
            other => other.options().and_then(|options| options.output),
        };
        output == Some(Output::Json)
    }
}

/// Whether errors are to be JSON, before it is known whether the arguments can be read at all.
fn wants_json(arguments: &[OsString]) -> bool {
    let texts: Vec<_> = arguments
        .iter()
        .map(|text| text.to_string_lossy())
        .collect();
    let option = texts
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, text)| match &**text {
            "--output" => Some(texts.get(index + 1).is_some_and(|value| value == "json")),
            text => text.strip_prefix("--output=").map(|value| value == "json"),
        });
    option.unwrap_or_else(|| std::env::var("OAUTH_OUTPUT").is_ok_and(|value| value == "json"))
}

/// What can be seen to be wrong about the arguments alone, whatever variables and profile say.
fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let (mut name, mut inner) = ("", matches);
    while let Some((next_name, next)) = inner.subcommand() {
        (name, inner) = (next_name, next);
    }
    let store = argument::<StoreUrl>(inner, "store");
    if store.is_some_and(StoreUrl::has_password) {
        return Err(Failure::usage(
            "the store's URL has a password in it, and arguments are seen by everybody on this machine; set OAUTH_STORE instead",
        ));
    }
    let prints_token = ["token", "login"].contains(&name);
    if argument::<Output>(inner, "output") == Some(&Output::Header) && !prints_token {
        return Err(Failure::usage(
            "this command prints no token that could be a header: write --output text or --output json",
        ));
    }
    Ok(())
}

/// The value of an option, if there is such an option and it is an argument.
fn argument<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    name: &str,
) -> Option<&'a T> {
    let value = matches.try_get_one::<T>(name).ok().flatten()?;
    (matches.value_source(name) == Some(ValueSource::CommandLine)).then_some(value)
}

fn refused(error: &clap::Error, json: bool) -> ExitCode {
    use clap::error::ErrorKind;
    let shown = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if shown || !json {
        // Where it goes may be closed already.
        let _ = error.print();
        return ExitCode::from(if shown { 0 } else { 2 });
    }
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    tell(&Failure::usage(first), true);
    ExitCode::from(2)
}

fn tell(failure: &Failure, json: bool) {
    if json {
        say(&failure.to_json());
        return;
    }
    say(&format!("{} {}", red("error:"), failure.to_text()));
    if let Some(hint) = failure.hint() {
        say(&format!("hint: {hint}"));
    }
}
