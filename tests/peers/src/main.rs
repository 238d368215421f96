//! Runs the measurements and prints a line of JSON for each figure; text goes to standard error.

use clap::Parser;
use peers::{
    cached, cold_keys, contest::Effort, exchange, keyed, memory, requests, secrets, server,
    server_memory, stampede,
};

#[derive(Parser)]
#[command(about = "Measures oauth-core beside its peers")]
struct Arguments {
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Only this measurement
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Prints the resident bytes of a token kept this way, and ends
    #[arg(long, hide = true)]
    memory_of: Option<String>,
}

type Measurement = (&'static str, fn(Effort));

const MEASUREMENTS: &[Measurement] = &[
    ("cached", cached::one_task),
    ("crowd", cached::many_tasks),
    ("keyed", keyed::run),
    ("stampede", stampede::run),
    ("cold-keys", cold_keys::run),
    ("memory", memory::run),
    ("requests", requests::run),
    ("exchange", exchange::run),
    ("token-endpoint", server::token_endpoint),
    ("introspection", server::introspection),
    ("purge", server::purge),
    ("server-memory", server_memory::run),
    ("secrets", secrets::run),
];

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    if let Some(way) = arguments.memory_of {
        let bytes = memory::of(&way).or_else(|| server_memory::of(&way));
        let bytes = bytes.ok_or("no such way")?;
        println!("{bytes}");
        return Ok(());
    }
    let effort = Effort {
        quick: arguments.quick,
    };
    for (name, measure) in MEASUREMENTS {
        if arguments.only.as_deref().is_none_or(|only| only == *name) {
            eprintln!("\n== {name}");
            measure(effort);
        }
    }
    Ok(())
}
