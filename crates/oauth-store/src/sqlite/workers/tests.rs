use std::{
    fs,
    path::Path,
    sync::mpsc as std_mpsc,
    task::{Context, Wake, Waker},
};

use super::*;

/// One thread that does everything, and the file.
async fn one_thread(folder: &Path) -> Arc<Workers> {
    let settings = Settings {
        path: folder.join("tokens.db"),
        busy: Duration::ZERO,
        max_pages: None,
        exchanged: Arc::default(),
    };
    let workers = Workers::start(settings, 0, Duration::from_secs(60)).await;
    Arc::new(workers.unwrap())
}

/// Keeps the thread busy until something is sent: what is asked for until then is taken at once.
async fn busy(workers: &Arc<Workers>) -> std_mpsc::Sender<()> {
    let (release, released) = std_mpsc::channel();
    let (begin, begun) = oneshot::channel();
    let workers = Arc::clone(workers);
    tokio::spawn(async move {
        let wait = move |_: &mut Connection| {
            begin.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        };
        workers.write(wait).await.unwrap();
    });
    begun.await.unwrap();
    release
}

#[tokio::test]
async fn answers_do_not_wait_for_a_job_that_may_take_long() {
    let folder = tempfile::tempdir().unwrap();
    let workers = one_thread(folder.path()).await;
    let release = busy(&workers).await;
    let (answered, both) = std_mpsc::channel();
    let look_up = async |number| {
        let found = workers.look_up(move |_| Ok(number)).await.unwrap();
        // The long job ends once it has heard of two.
        answered.send(found).ok();
    };
    let long = workers.write(move |_| {
        let limit = Duration::from_secs(10);
        Ok([both.recv_timeout(limit), both.recv_timeout(limit)])
    });
    let ((), (), seen, (), ()) = tokio::join!(
        biased;
        look_up(1),
        look_up(2),
        long,
        look_up(3),
        async move { release.send(()).unwrap() }
    );
    assert_eq!(seen.unwrap(), [Ok(1), Ok(2)]);
}

#[tokio::test]
async fn answers_do_not_wait_for_a_disk_that_takes_long() {
    let folder = tempfile::tempdir().unwrap();
    let workers = one_thread(folder.path()).await;
    let release = busy(&workers).await;
    let (answered, first) = std_mpsc::channel();
    let ((), slow, last, ()) = tokio::join!(
        biased;
        async {
            workers.look_up(|_| Ok(())).await.unwrap();
            answered.send(()).unwrap();
        },
        workers.look_up(|_| {
            let begun = Instant::now();
            while begun.elapsed() <= HELD {}
            Ok(())
        }),
        workers.look_up(move |_| Ok(first.recv_timeout(Duration::from_secs(10)))),
        async move { release.send(()).unwrap() }
    );
    slow.unwrap();
    assert_eq!(last.unwrap(), Ok(()), "the first has not been answered");
}

#[tokio::test]
async fn a_write_finds_the_file_gone_that_was_there_for_the_read_before() {
    let folder = tempfile::tempdir().unwrap();
    let workers = one_thread(folder.path()).await;
    let release = busy(&workers).await;
    let path = folder.path().join("tokens.db");
    let look_up = workers.look_up(move |connection| {
        connection.run(|_| Ok(()))?;
        fs::remove_file(path).unwrap();
        Ok(())
    });
    let (read, written, ()) = tokio::join!(
        biased;
        look_up,
        workers.write(|connection| connection.transaction(|_| Ok(()))),
        async move { release.send(()).unwrap() }
    );
    read.unwrap();
    assert_eq!(
        written.unwrap_err().kind(),
        StoreErrorKind::Unavailable,
        "what is written into a file that is gone is lost"
    );
}

#[tokio::test]
async fn who_only_reads_finds_out_that_the_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let workers = one_thread(folder.path()).await;
    let look_up = || workers.look_up(|connection| connection.run(|_| Ok(())));
    look_up().await.unwrap();
    fs::remove_file(folder.path().join("tokens.db")).unwrap();
    let begun = Instant::now();
    let error = loop {
        match look_up().await {
            Ok(()) => assert!(begun.elapsed() < Duration::from_secs(10), "nobody looks"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_thread_has_nothing_to_do_any_more_when_who_asked_it_is_woken() {
    struct Asks(Arc<AtomicUsize>, std_mpsc::Sender<usize>);

    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            self.1.send(self.0.load(Ordering::Relaxed)).unwrap();
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let workers = one_thread(folder.path()).await;
    let load = &workers.writer.load;
    let (told, seen) = std_mpsc::channel();
    let waker = Waker::from(Arc::new(Asks(Arc::clone(load), told)));
    let mut context = Context::from_waker(&waker);
    let release = busy(&workers).await;
    let mut first = pin!(workers.look_up(|_| Ok(())));
    let mut second = pin!(workers.look_up(|_| Ok(())));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(load.load(Ordering::Relaxed), 3, "the busy job, and these");
    release.send(()).unwrap();
    for _ in 0..2 {
        assert_eq!(seen.recv_timeout(Duration::from_secs(10)), Ok(0));
    }
    first.await.unwrap();
    second.await.unwrap();
}
