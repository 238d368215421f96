//! A PostgreSQL server that a test starts and stops.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use oauth_server::sql::{
    SqlStore,
    deadpool_postgres::{Config, Runtime},
    tokio_postgres::NoTls,
};

/// A server on a free port whose data is gone at the end.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oauth-server-postgres-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        if is_root() {
            let owner = Command::new("chown").arg("postgres").arg(&folder).status();
            assert!(
                owner.unwrap().success(),
                "no user postgres: install Debian's postgresql"
            );
        }
        let data = folder.join("data");
        let mut initdb = command("initdb");
        initdb.args(["--auth=trust", "--username=test", "--no-sync", "--pgdata"]);
        let made = initdb.arg(&data).current_dir(&folder).output();
        let made = made.expect("initdb cannot be started: install Debian's postgresql");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut postgres = command("postgres");
        postgres
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
        ] {
            postgres.args(["-c", setting]);
        }
        postgres.stdout(Stdio::null()).stderr(Stdio::null());
        let process = postgres.current_dir(&folder).spawn().unwrap();
        Self {
            folder,
            port,
            process,
        }
    }

    /// The server takes connections a moment after it starts; how long a moment is, it decides.
    pub(crate) async fn open(&self) -> SqlStore {
        let mut config = Config::new();
        config.host = Some("127.0.0.1".to_owned());
        config.port = Some(self.port);
        config.user = Some("test".to_owned());
        config.dbname = Some("postgres".to_owned());
        let pool = config.create_pool(Some(Runtime::Tokio1), NoTls).unwrap();
        let mut last = None;
        for _ in 0..300 {
            match SqlStore::postgres(pool.clone()).await {
                Ok(store) => return store,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{last:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = command("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"])
            .arg(self.folder.join("data"));
        let stopped = stop.current_dir("/").stdout(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// A program of PostgreSQL, which does not run as root.
fn command(program: &str) -> Command {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found = debian
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(program)))
        .filter(|path| path.exists())
        .collect::<Vec<_>>();
    found.sort();
    let path = found.pop().unwrap_or_else(|| Path::new(program).to_owned());
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ]);
    command.arg(path);
    command
}
