//! Real servers for tests, databases and a browser's driver: each on a free port and in a temporary
//! folder of its own, gone when it is dropped, and also when the test process dies; and clients and
//! servers that are not ours ([`foreign`]).
//!
//! ```no_run
//! let server = test_servers::RedisServer::start()?;
//! let url = server.url();
//! # Ok::<(), String>(())
//! ```

mod chromedriver;
mod cut;
pub mod foreign;
mod postgres;
mod process;
mod redis;

pub use chromedriver::Chromedriver;
pub use cut::Proxy;
pub use postgres::PostgresServer;
pub use process::free_port;
pub use redis::RedisServer;
