//! Password hashing away from the request threads, fairly among projects: a flood on one does not slow another.

mod threads;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crypto::password::{self, HashError, Scratch};
use domain::entropy::Entropy;
use domain::ids::ProjectId;
use domain::secret::Secret;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::threads::Threads;
use crate::kit::{Address, Behaviour, Death, Lost, Post, Timer, answer_by};
use crate::stats::Stats;
use crate::work::{current_deadline, current_hashing_quota};

/// How long hashing may take for a caller without a deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool without work for so long gives the memory of its workers back.
const REST: Duration = Duration::from_secs(5);

/// Why a password was not hashed: the source of a [`flows::Error::Busy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashingRefused {
    /// The project has too many jobs waiting.
    #[error("the project's hashing queue is full")]
    Full,
    /// Its deadline passed before its turn.
    #[error("deadline passed in the hashing queue")]
    Late,
}

/// Jobs by project, served round-robin.
struct FairQueue<J> {
    workers: usize,
    /// The most workers a project may hold while another one waits.
    share: usize,
    most_waiting: usize,
    waiting: HashMap<ProjectId, VecDeque<J>>,
    /// Projects with waiting jobs; the next turn is the front's.
    turns: VecDeque<ProjectId>,
    running: HashMap<ProjectId, usize>,
    busy: usize,
}

impl<J> FairQueue<J> {
    fn new(workers: usize, most_waiting: usize) -> Self {
        Self {
            workers,
            share: (workers / 2).max(1),
            most_waiting,
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            running: HashMap::new(),
            busy: 0,
        }
    }

    /// Takes a job in, or gives it back when its project has too many waiting: `most`, or as many as every project may have.
    fn push(&mut self, project: ProjectId, most: Option<usize>, job: J) -> Result<(), J> {
        let most = most.unwrap_or(self.most_waiting);
        if self.waiting.get(&project).map_or(0, VecDeque::len) >= most {
            return Err(job);
        }
        let jobs = self.waiting.entry(project).or_default();
        if jobs.is_empty() {
            self.turns.push_back(project);
        }
        jobs.push_back(job);
        Ok(())
    }

    /// The next job, if a worker is free. It counts as running until [`Self::finish`].
    fn start(&mut self) -> Option<(ProjectId, J)> {
        if self.busy >= self.workers {
            return None;
        }
        let within_share = |project: &ProjectId| self.running.get(project).is_none_or(|jobs| *jobs < self.share);
        let turn = self.turns.iter().position(within_share).unwrap_or(0);
        let project = self.turns.remove(turn)?;
        let jobs = self.waiting.get_mut(&project)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&project);
        } else {
            self.turns.push_back(project);
        }
        self.busy += 1;
        *self.running.entry(project).or_default() += 1;
        job.map(|job| (project, job))
    }

    /// A job of `project` is done.
    fn finish(&mut self, project: ProjectId) {
        self.busy = self.busy.saturating_sub(1);
        if let Some(jobs) = self.running.get_mut(&project) {
            *jobs -= 1;
            if *jobs == 0 {
                self.running.remove(&project);
            }
        }
    }

    fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }
}

enum Task {
    Hash { password: Secret<String>, reply: oneshot::Sender<Result<String, Failure>> },
    Verify { password: Secret<String>, stored: Secret<String>, reply: oneshot::Sender<Result<bool, Failure>> },
}

enum Failure {
    Refused(HashingRefused),
    Hash(HashError),
}

impl Task {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Hash { reply, .. } => reply.is_closed(),
            Self::Verify { reply, .. } => reply.is_closed(),
        }
    }

    fn refuse(self, why: HashingRefused) {
        match self {
            Self::Hash { reply, .. } => answer(reply, Err(Failure::Refused(why))),
            Self::Verify { reply, .. } => answer(reply, Err(Failure::Refused(why))),
        }
    }

    fn run(self, entropy: &dyn Entropy, scratch: &mut Scratch) {
        match self {
            Self::Hash { password, reply } => {
                answer(reply, password::hash(password.expose(), entropy, scratch).map_err(Failure::Hash));
            }
            Self::Verify { password, stored, reply } => {
                answer(reply, password::verify(password.expose(), stored.expose(), scratch).map_err(Failure::Hash));
            }
        }
    }
}

fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    if reply.send(answer).is_err() {
        tracing::debug!("the caller of the hashing pool left");
    }
}

/// One job for the pool.
pub(crate) struct HashingJob {
    project: ProjectId,
    /// How many of the project's may wait, where it has a quota of its own.
    most: Option<usize>,
    deadline: Instant,
    task: Task,
}

/// What the pool is told.
pub(crate) enum HashingMessage {
    /// Do this when its turn comes.
    Submit(HashingJob),
    /// A job of this project is done; its worker's memory comes back.
    Finished(ProjectId, Scratch),
    /// There was no work for a while.
    Rest,
}

/// The pool: hands jobs to its threads, one per worker.
pub(crate) struct HashingPool {
    queue: FairQueue<HashingJob>,
    threads: Threads,
    /// Of workers that are free; never more than there are workers.
    scratch: Vec<Scratch>,
    rest: Option<Timer>,
    entropy: Arc<dyn Entropy>,
    stats: Arc<Stats>,
}

impl HashingPool {
    /// A pool of `workers` threads (0 = as many as cores) with up to `most_waiting` waiting jobs for each project.
    pub(crate) fn new(workers: usize, most_waiting: usize, entropy: Arc<dyn Entropy>, stats: Arc<Stats>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let workers = if workers == 0 { cores() } else { workers };
        let (queue, threads) = (FairQueue::new(workers, most_waiting), Threads::new(workers));
        Self { queue, threads, scratch: Vec::new(), rest: None, entropy, stats }
    }

    fn start_jobs(&mut self, me: &Address<HashingMessage>) {
        while let Some((project, job)) = self.queue.start() {
            if job.task.is_abandoned() {
                self.queue.finish(project);
                continue;
            }
            if Instant::now() >= job.deadline {
                self.queue.finish(project);
                job.task.refuse(HashingRefused::Late);
                continue;
            }
            self.rest = None;
            let scratch = self.scratch.pop().unwrap_or_default();
            let mut worker = Worker { pool: me.clone(), project, scratch };
            let (entropy, stats) = (Arc::clone(&self.entropy), Arc::clone(&self.stats));
            self.threads.run(move || {
                let began = Instant::now();
                job.task.run(&*entropy, &mut worker.scratch);
                stats.hashing_micros.add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
            });
        }
        self.stats.hash_queue.set(self.queue.len());
        self.stats.hash_running.set(self.queue.busy);
    }
}

/// A busy worker; it is free again when this is dropped, even by a panic.
struct Worker {
    pool: Address<HashingMessage>,
    project: ProjectId,
    scratch: Scratch,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.pool.cast(HashingMessage::Finished(self.project, std::mem::take(&mut self.scratch)));
    }
}

impl Behaviour for HashingPool {
    type Message = HashingMessage;

    async fn handle(&mut self, me: &Address<HashingMessage>, message: HashingMessage) -> Result<(), Death> {
        match message {
            HashingMessage::Submit(job) => {
                if let Err(job) = self.queue.push(job.project, job.most, job) {
                    job.task.refuse(HashingRefused::Full);
                }
            }
            HashingMessage::Finished(project, scratch) => {
                self.queue.finish(project);
                self.scratch.push(scratch);
            }
            HashingMessage::Rest => (self.scratch, self.rest) = (Vec::new(), None),
        }
        self.start_jobs(me);
        if self.queue.busy == 0 && !self.scratch.is_empty() && self.rest.is_none() {
            self.rest = Some(me.after(REST, HashingMessage::Rest));
        }
        Ok(())
    }
}

/// The way to the pool.
#[derive(Clone, Default)]
pub(crate) struct Hashing {
    pub(crate) post: Arc<Post<HashingMessage>>,
}

impl Hashing {
    async fn submit<T>(
        &self,
        project: ProjectId,
        task: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Task,
    ) -> flows::Result<T> {
        let deadline = current_deadline().unwrap_or_else(|| Instant::now() + PATIENCE);
        let (reply, answer) = oneshot::channel();
        let job = HashingJob { project, most: current_hashing_quota(), deadline, task: task(reply) };
        if self.post.send(HashingMessage::Submit(job)).is_err() {
            return Err(flows::Error::Busy("the hashing pool is away".into()));
        }
        match answer_by(deadline, answer).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Failure::Refused(why))) => Err(flows::Error::Busy(why.into())),
            Ok(Err(Failure::Hash(error))) => Err(flows::Error::fault(error)),
            Err(Lost::Late) => Err(flows::Error::Busy(HashingRefused::Late.into())),
            Err(Lost::Crashed) => Err(flows::Error::fault("the hashing job crashed")),
        }
    }
}

#[async_trait]
impl flows::Hasher for Hashing {
    async fn hash(&self, project: ProjectId, password: Secret<String>) -> flows::Result<String> {
        self.submit(project, |reply| Task::Hash { password, reply }).await
    }

    async fn verify(
        &self,
        project: ProjectId,
        password: Secret<String>,
        stored: Secret<String>,
    ) -> flows::Result<bool> {
        self.submit(project, |reply| Task::Verify { password, stored, reply }).await
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::ProjectId;
    use uuid::Uuid;

    use super::*;

    const A: ProjectId = ProjectId(Uuid::from_u128(1));
    const B: ProjectId = ProjectId(Uuid::from_u128(2));

    fn flooded(workers: usize) -> FairQueue<u32> {
        let mut queue = FairQueue::new(workers, 100);
        for job in 0..100 {
            queue.push(A, None, job).unwrap();
        }
        queue
    }

    #[test]
    fn a_lone_project_gets_every_worker() {
        let mut queue = flooded(4);
        let started = std::iter::from_fn(|| queue.start()).count();
        assert_eq!(started, 4);
    }

    #[test]
    fn a_flood_on_one_project_delays_anothers_job_by_one_job() {
        let mut queue = flooded(2);
        queue.start().unwrap();
        queue.start().unwrap();
        queue.push(B, None, 7).unwrap();
        assert!(queue.start().is_none(), "both workers are busy");
        queue.finish(A);
        assert_eq!(queue.start(), Some((B, 7)));
    }

    #[test]
    fn while_another_waits_a_project_holds_at_most_half_of_the_workers() {
        let mut queue = flooded(4);
        for job in 0..100 {
            queue.push(B, None, job).unwrap();
        }
        let started: Vec<ProjectId> = std::iter::from_fn(|| queue.start()).map(|(project, _)| project).collect();
        assert_eq!(started, [A, B, A, B]);
        queue.finish(A);
        assert_eq!(queue.start().map(|(project, _)| project), Some(A));
        queue.finish(B);
        queue.finish(B);
        let next: Vec<ProjectId> = std::iter::from_fn(|| queue.start()).map(|(project, _)| project).collect();
        assert_eq!(next, [B, B], "the third worker of one project would be over its share");
    }

    #[test]
    fn a_full_queue_gives_the_job_back_and_is_full_for_its_project_only() {
        let mut queue = flooded(1);
        assert_eq!(queue.push(A, None, 100), Err(100));
        assert_eq!(queue.push(B, None, 1), Ok(()));
        assert_eq!(queue.len(), 101);
        assert_eq!(queue.push(A, Some(101), 100), Ok(()), "a quota of its own may be more");
        assert_eq!(queue.push(B, Some(1), 2), Err(2), "or less");
    }

    #[test]
    fn nothing_is_left_behind_when_all_is_done() {
        let mut queue = flooded(2);
        for _ in 0..100 {
            let (project, _) = queue.start().unwrap();
            queue.finish(project);
        }
        assert!(queue.start().is_none());
        assert!(queue.waiting.is_empty() && queue.turns.is_empty() && queue.running.is_empty());
    }
}
