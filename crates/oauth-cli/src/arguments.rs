//! The commands, their options and what `--help` says of them.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Arg, Args, Command, CommandFactory, Parser, Subcommand};

use crate::options::{Options, Output, StoreUrl};

#[derive(Debug, Parser)]
#[command(
    name = "oauth",
    version,
    about = "OAuth 2.0 tokens on the command line",
    after_help = "Exit codes: 0 done; 2 usage; 10 the server refused; 11 no token answer; 12 no answer; \
                  13 server trouble or 429; 14 the store.\n\
                  Every option has a variable: --client-id is OAUTH_CLIENT_ID. No secret is an argument: \
                  see `oauth token --help`.",
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Subcommands,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subcommands {
    /// Prints a valid access token: from the store, else refreshed, else newly granted
    #[command(after_help = "Examples:\n  \
        export OAUTH_CLIENT_SECRET=…   # or --client-secret-file FILE, - for standard input\n  \
        oauth token --issuer https://id.example.com --client-id svc --scope read\n  \
        curl -H \"$(oauth token --provider moov --client-id KEY --origin https://example.com --scope /accounts.read --output header)\" …")]
    Token(Box<Options>),
    /// Logs a user in, in the browser or with --device, and stores the tokens
    #[command(after_help = "Examples:\n  \
        oauth login --issuer https://id.example.com --client-id app --scope openid --subject ada\n  \
        oauth login --provider twitch --client-id ID --device --scope chat:read")]
    Login(Box<Login>),
    /// Asks the provider whether the stored or given token works
    #[command(
        after_help = "Example:\n  oauth validate --provider twitch --client-id ID --output json"
    )]
    Validate(Box<Options>),
    /// Asks the server what the stored or given token is (RFC 7662)
    #[command(after_help = "Example:\n  \
        OAUTH_TOKEN=… oauth introspect --issuer https://id.example.com --client-id rs --output json")]
    Introspect(Box<Options>),
    /// Asks who the user of the stored or given token is (OpenID Connect)
    #[command(after_help = "Example:\n  \
        oauth userinfo --issuer https://id.example.com --client-id app --subject ada")]
    Userinfo(Box<Options>),
    /// Revokes the stored or given token at the provider, and deletes it from the store
    #[command(
        after_help = "Example:\n  oauth revoke --provider twitch --client-id ID --subject ada"
    )]
    Revoke(Box<Revoke>),
    /// The store itself: what is in it, without asking any server
    #[command(after_help = "Example:\n  oauth tokens list --output json")]
    Tokens(Tokens),
    /// Runs the authorization server, from a TOML file or with --demo
    #[command(after_help = "Example:\n  oauth serve --demo --listen 127.0.0.1:0")]
    Serve(Serve),
    /// Runs a provider's emulator on loopback
    #[command(after_help = "Example:\n  oauth emulate twitch --listen 127.0.0.1:0")]
    Emulate(Emulate),
    /// Every provider with its grants, endpoints and capabilities
    #[command(after_help = "Example:\n  oauth providers --output json")]
    Providers(Providers),
    /// Prints the completions of a shell
    #[command(
        after_help = "Example:\n  oauth completions bash > ~/.local/share/bash-completion/completions/oauth"
    )]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Shows a code to enter on another device instead of opening a browser (RFC 8628)
    #[arg(long)]
    pub(crate) device: bool,
    /// Prints the address to open, and opens nothing
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Leaves it in the store
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    pub(crate) command: TokensCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Whose tokens there are, and when they end
    #[command(after_help = "Example:\n  oauth tokens list")]
    List(Selection),
    /// The tokens with all that is known of them; secrets masked unless --show-secrets
    #[command(
        after_help = "Example:\n  oauth tokens show --client-id svc --show-secrets --output json"
    )]
    Show {
        #[command(flatten)]
        selection: Selection,
        /// Shows the tokens themselves
        #[arg(long)]
        show_secrets: bool,
    },
    /// Deletes the tokens of an issuer, client or subject from the store; revokes nothing
    #[command(after_help = "Example:\n  oauth tokens delete --client-id svc --subject ada")]
    Delete(Selection),
    /// Deletes every token from the store; revokes nothing
    #[command(after_help = "Example:\n  oauth tokens clear")]
    Clear(StoreOptions),
    /// Seals every token with a new key
    #[command(after_help = "Example:\n  oauth tokens rotate-key\n\n\
        With OAUTH_STORE_KEY or --store-key-file, put the new key before the old ones first.")]
    RotateKey(StoreOptions),
}

/// Which tokens of the store.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// Only those of this issuer, or of this token endpoint where there is no issuer
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Only those of this client
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Only those of this subject
    #[arg(long, value_name = "ID")]
    pub(crate) subject: Option<String>,
}

/// Where the tokens are.
#[derive(Debug, Args)]
pub(crate) struct StoreOptions {
    /// sqlite:PATH, postgres://…, redis://…; the user's data folder otherwise
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<StoreUrl>,
    /// The keys of the store, `name:base64` one a line; also OAUTH_STORE_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) store_key_file: Option<PathBuf>,
    /// How answers and errors are printed
    #[arg(long, value_enum)]
    pub(crate) output: Option<Output>,
    /// Which profile holds the rest
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The file with the profiles; oauth/oauth.toml in the user's configuration folder otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The server's set-up, in TOML
    #[arg(
        value_name = "FILE",
        required_unless_present = "demo",
        conflicts_with = "demo"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Clients and a user to try it with, on loopback only
    #[arg(long)]
    pub(crate) demo: bool,
    /// Where to listen, port 0 for a free one; 127.0.0.1:4000 otherwise, or as the file says
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// How errors are printed
    #[arg(long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct Emulate {
    /// Which provider
    #[arg(value_enum)]
    pub(crate) provider: Emulated,
    /// Where to listen, on loopback; a free port of 127.0.0.1 otherwise
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// How errors are printed
    #[arg(long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Emulated {
    Twitch,
    Moov,
    MinistryPlatform,
    /// A server that keeps to the RFCs
    #[value(alias = "generic")]
    Rfc,
}

#[derive(Debug, Args)]
pub(crate) struct Providers {
    /// How the list is printed
    #[arg(long, value_enum)]
    pub(crate) output: Option<Output>,
}

/// The command line as clap knows it, for help, completions and manual pages.
#[must_use]
pub fn command() -> Command {
    with_variables(Cli::command())
}

/// Gives every option its variable, so that none is forgotten. Its value is not shown in the help.
fn with_variables(mut command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, with_variables);
    }
    command.mut_args(|arg| match variable(&arg) {
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    })
}

fn variable(arg: &Arg) -> Option<String> {
    let long = arg.get_long()?;
    Some(format!(
        "OAUTH_{}",
        long.to_ascii_uppercase().replace('-', "_")
    ))
}
