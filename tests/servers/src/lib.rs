//! Real database servers for tests: each on a free port and in a temporary folder of its own, gone
//! when it is dropped, and also when the test process dies.
//!
//! ```no_run
//! let server = test_servers::RedisServer::start()?;
//! let url = server.url();
//! # Ok::<(), String>(())
//! ```

mod cut;
mod postgres;
mod process;
mod redis;

pub use cut::Proxy;
pub use postgres::PostgresServer;
pub use process::free_port;
pub use redis::RedisServer;
