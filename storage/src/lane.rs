//! Natural batching: requests that queue while a statement runs travel together in the next one. Nothing waits on purpose, so an idle
//! lane sends a batch of one.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, Span};

use crate::error::{Result, StoreError};

/// Members of one statement.
const BATCH: usize = 64;
/// Requests that may wait; beyond that the database is far behind and more are refused at once.
const QUEUE: usize = 4096;

/// A statement that serves many requests.
pub(crate) trait Batch: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Answer: Send + 'static;
    type Key: Ord + Send;
    /// Members are sorted by it, so that two gateways lock rows in the same order.
    fn key(request: &Self::Request) -> Self::Key;

    /// Whether a statement may serve `other` that serves `first`, which has the same key.
    fn may_share(first: &Self::Request, other: &Self::Request) -> bool;

    /// Answers in the order of the requests. `None` for one that would have to wait for somebody else's transaction: the lane does not.
    fn run(&self, requests: &[Self::Request]) -> impl Future<Output = Result<Vec<Option<Self::Answer>>>> + Send;

    /// Answers one request, however long that takes.
    fn alone(&self, request: &Self::Request) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// The entrance to a lane. The worker ends when the last one is dropped.
pub(crate) struct Lane<B: Batch> {
    queue: mpsc::Sender<Member<B>>,
}

struct Member<B: Batch> {
    request: B::Request,
    reply: oneshot::Sender<Result<B::Answer>>,
    /// Where the request stands in its trace.
    span: Span,
}

impl<B: Batch> Lane<B> {
    /// Starts the worker.
    pub(crate) fn start(batch: B) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(work(Arc::new(batch), waiting));
        Self { queue }
    }

    /// Sends a request along and waits for its answer. A caller who stops waiting takes his request back unless it is on its way.
    pub(crate) async fn ask(&self, request: B::Request) -> Result<B::Answer> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(Member { request, reply, span: Span::current() })
            .map_err(|_| StoreError::busy("lane is full or closed"))?;
        answer.await.unwrap_or_else(|_| Err(StoreError::fault("lane lost a batch")))
    }
}

async fn work<B: Batch>(batch: Arc<B>, mut waiting: mpsc::Receiver<Member<B>>) {
    loop {
        let mut members = Vec::with_capacity(BATCH);
        if waiting.recv_many(&mut members, BATCH).await == 0 {
            return;
        }
        // A task of its own: a panic costs its batch, not the lane.
        let span = shared_span(&members);
        let round = tokio::spawn(rounds(batch.clone(), members).instrument(span));
        if let Err(crash) = round.await {
            tracing::error!(error = %crash, "a batch of statements crashed");
        }
    }
}

/// The statements of a batch stand in the trace of its first member; the traces of the others point there.
fn shared_span<B: Batch>(members: &[Member<B>]) -> Span {
    let span = members.first().map_or_else(Span::none, |member| member.span.clone());
    for member in members.iter().skip(1) {
        member.span.follows_from(&span);
    }
    span
}

async fn rounds<B: Batch>(batch: Arc<B>, mut members: Vec<Member<B>>) {
    while !members.is_empty() {
        members.retain(|member| !member.reply.is_closed());
        members.sort_by_key(|member| B::key(&member.request));
        let (mut now, mut later) = (Vec::<Member<B>>::with_capacity(members.len()), Vec::new());
        // Of one key the first is before all others: whoever may not share its statement waits for the next.
        let mut first = 0;
        for member in members {
            match now.get(first).map(|first| &first.request) {
                Some(before) if B::key(before) == B::key(&member.request) => {
                    if B::may_share(before, &member.request) {
                        now.push(member)
                    } else {
                        later.push(member)
                    }
                }
                _ => {
                    first = now.len();
                    now.push(member);
                }
            }
        }
        members = later;
        round(&batch, now).await;
    }
}

async fn round<B: Batch>(batch: &Arc<B>, members: Vec<Member<B>>) {
    let (requests, replies): (Vec<_>, Vec<_>) =
        members.into_iter().map(|member| (member.request, member.reply)).unzip();
    if requests.is_empty() {
        return;
    }
    match batch.run(&requests).await {
        Ok(answers) => {
            for ((request, reply), answer) in requests.into_iter().zip(replies).zip(answers) {
                match answer {
                    Some(answer) => drop(reply.send(Ok(answer))),
                    None => drop(tokio::spawn(alone(batch.clone(), Member { request, reply, span: Span::current() }))),
                }
            }
        }
        Err(error) if requests.len() == 1 || error.is_out_of_reach() => {
            for reply in replies {
                drop(reply.send(Err(error.clone())));
            }
        }
        // Somebody in the batch is at fault: the others must not pay for it.
        Err(_) => {
            for (request, reply) in requests.into_iter().zip(replies) {
                alone(batch.clone(), Member { request, reply, span: Span::current() }).await;
            }
        }
    }
}

async fn alone<B: Batch>(batch: Arc<B>, member: Member<B>) {
    if !member.reply.is_closed() {
        drop(member.reply.send(batch.alone(&member.request).await));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    /// The members of each statement.
    type Seen = Arc<Mutex<Vec<Vec<(u32, u32)>>>>;

    const CRASH: u32 = 13;
    const HELD: u32 = 100;

    /// Doubles even numbers; fails as a whole on odd ones; waits for a permit per statement; one number is held by somebody else.
    struct Doubling {
        permits: Arc<Semaphore>,
        held: Arc<Semaphore>,
        batches: Seen,
    }

    impl Batch for Doubling {
        type Request = (u32, u32);
        type Answer = u32;
        type Key = u32;

        fn key(request: &(u32, u32)) -> u32 {
            request.0
        }

        fn may_share(first: &(u32, u32), other: &(u32, u32)) -> bool {
            first.1 == other.1
        }

        async fn run(&self, requests: &[(u32, u32)]) -> Result<Vec<Option<u32>>> {
            self.permits.acquire().await.unwrap().forget();
            self.batches.lock().unwrap().push(requests.to_vec());
            assert!(requests.iter().all(|(_, number)| *number != CRASH), "told to crash");
            if requests.iter().any(|(_, number)| number % 2 == 1) {
                return Err(StoreError::fault("odd"));
            }
            Ok(requests.iter().map(|(_, number)| (*number != HELD).then_some(number * 2)).collect())
        }

        async fn alone(&self, (_, number): &(u32, u32)) -> Result<u32> {
            if *number == HELD {
                self.held.acquire().await.unwrap().forget();
            }
            if number % 2 == 1 { Err(StoreError::fault("odd")) } else { Ok(number * 2) }
        }
    }

    fn lane() -> (Arc<Lane<Doubling>>, Arc<Semaphore>, Seen) {
        let (lane, permits, batches, _) = lane_with_held();
        (lane, permits, batches)
    }

    fn lane_with_held() -> (Arc<Lane<Doubling>>, Arc<Semaphore>, Seen, Arc<Semaphore>) {
        let permits = Arc::new(Semaphore::new(0));
        let held = Arc::new(Semaphore::new(0));
        let batches = Seen::default();
        let lane = Lane::start(Doubling { permits: permits.clone(), held: held.clone(), batches: batches.clone() });
        (Arc::new(lane), permits, batches, held)
    }

    fn ask(lane: &Arc<Lane<Doubling>>, key: u32, number: u32) -> tokio::task::JoinHandle<Result<u32>> {
        let lane = lane.clone();
        tokio::spawn(async move { lane.ask((key, number)).await })
    }

    async fn until_queued() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_queues_behind_a_statement_travels_together_in_key_order() {
        let (lane, permits, batches) = lane();
        let first = ask(&lane, 9, 2);
        until_queued().await;
        let rest: Vec<_> = [5, 3, 4].map(|key| ask(&lane, key, key * 2)).into();
        until_queued().await;
        permits.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), 4);
        for (answer, expected) in rest.into_iter().zip([20, 12, 16]) {
            assert_eq!(answer.await.unwrap().unwrap(), expected);
        }
        assert_eq!(*batches.lock().unwrap(), [vec![(9, 2)], vec![(3, 6), (4, 8), (5, 10)]]);
    }

    #[tokio::test]
    async fn a_failing_member_costs_its_neighbours_nothing() {
        let (lane, permits, _) = lane();
        let first = ask(&lane, 1, 2);
        until_queued().await;
        let good = ask(&lane, 2, 4);
        let bad = ask(&lane, 3, 5);
        until_queued().await;
        permits.add_permits(10);
        first.await.unwrap().unwrap();
        assert_eq!(good.await.unwrap().unwrap(), 8);
        assert!(matches!(bad.await.unwrap(), Err(StoreError::Fault(_))));
    }

    #[tokio::test]
    async fn of_one_key_only_those_that_may_share_a_statement_do() {
        let (lane, permits, batches) = lane();
        let first = ask(&lane, 1, 2);
        until_queued().await;
        let siblings = [(7, 2), (8, 6), (7, 4), (7, 2)].map(|(key, number)| ask(&lane, key, number));
        until_queued().await;
        permits.add_permits(3);
        first.await.unwrap().unwrap();
        for sibling in siblings {
            sibling.await.unwrap().unwrap();
        }
        assert_eq!(*batches.lock().unwrap(), [vec![(1, 2)], vec![(7, 2), (7, 2), (8, 6)], vec![(7, 4)]]);
    }

    #[tokio::test]
    async fn who_stopped_waiting_is_left_out() {
        let (lane, permits, batches) = lane();
        let first = ask(&lane, 1, 2);
        until_queued().await;
        let gone = ask(&lane, 2, 2);
        let stays = ask(&lane, 3, 2);
        until_queued().await;
        gone.abort();
        until_queued().await;
        permits.add_permits(2);
        first.await.unwrap().unwrap();
        stays.await.unwrap().unwrap();
        assert_eq!(*batches.lock().unwrap(), [vec![(1, 2)], vec![(3, 2)]]);
    }

    #[tokio::test]
    async fn a_panic_costs_its_batch_and_not_the_lane() {
        let (lane, permits, _) = lane();
        permits.add_permits(2);
        assert!(matches!(ask(&lane, 1, CRASH).await.unwrap(), Err(StoreError::Fault(_))));
        assert_eq!(ask(&lane, 1, 2).await.unwrap().unwrap(), 4);
    }

    #[tokio::test]
    async fn a_member_that_must_wait_does_not_hold_up_the_lane() {
        let (lane, permits, _, held) = lane_with_held();
        permits.add_permits(2);
        let waits = ask(&lane, 1, HELD);
        until_queued().await;
        assert_eq!(ask(&lane, 2, 2).await.unwrap().unwrap(), 4);
        assert!(!waits.is_finished());
        held.add_permits(1);
        assert_eq!(waits.await.unwrap().unwrap(), 2 * HELD);
    }
}
