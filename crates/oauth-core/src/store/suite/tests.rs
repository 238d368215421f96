use super::*;
use crate::{clock::ManualClock, store::MemoryStore};

#[derive(Debug)]
struct Memory(ManualClock);

#[async_trait]
impl Harness for Memory {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        Ok(Arc::new(MemoryStore::with_clock(Arc::new(self.0.clone()))))
    }

    async fn pass(&self, time: Duration) {
        self.0.advance(time);
    }

    fn jump(&self, to: SystemTime) {
        self.0.set(to);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_passes() {
    run(Arc::new(Memory(ManualClock::at(at(0))))).await;
}
