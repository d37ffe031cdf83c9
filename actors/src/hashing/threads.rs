//! Threads that do nothing but hash, and give way to those that answer requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rustix::process::{getpriority_process, setpriority_process};

/// How much nicer a hashing thread is than the others (setpriority(2)): beside one that is busy it gets about a tenth of a
/// core, alone all of it. A flood of sign-ins takes what requests leave, and not the other way round.
const NICER: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The threads: at most so many as allowed, started when first needed. They end when this is dropped.
pub(super) struct Threads {
    most: usize,
    started: usize,
    jobs: mpsc::Sender<Job>,
    next: Arc<Mutex<mpsc::Receiver<Job>>>,
}

impl Threads {
    pub(super) fn new(most: usize) -> Self {
        let (jobs, next) = mpsc::channel();
        Self { most, started: 0, jobs, next: Arc::new(Mutex::new(next)) }
    }

    /// Runs `job` as soon as a thread is free. Where the system gives no thread at all, it is dropped.
    pub(super) fn run(&mut self, job: impl FnOnce() + Send + 'static) {
        if self.started < self.most {
            let next = Arc::clone(&self.next);
            match std::thread::Builder::new().name("hashing".to_owned()).spawn(move || work(&next)) {
                Ok(_) => self.started += 1,
                Err(error) => tracing::error!(%error, "a thread for hashing was not started"),
            }
        }
        if self.started > 0 && self.jobs.send(Box::new(job)).is_err() {
            tracing::error!("the threads for hashing ended");
        }
    }
}

/// Takes jobs until nobody can send one any more. A job that panics ends alone.
fn work(next: &Mutex<mpsc::Receiver<Job>>) {
    if let Err(error) = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICER)) {
        tracing::warn!(%error, "hashing runs with the priority of requests");
    }
    loop {
        let job = next.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a hashing job panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// What `job` says of the thread that runs it.
    fn told<T: Send + 'static>(threads: &mut Threads, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        threads.run(move || tell.send(job()).unwrap());
        told.recv().unwrap()
    }

    #[test]
    fn a_hashing_thread_gives_way_and_its_caller_does_not() {
        let before = getpriority_process(None).unwrap();
        let nice = told(&mut Threads::new(1), || getpriority_process(None).unwrap());
        assert_eq!(nice, (before + NICER).min(19), "19 is as nice as a thread gets");
        assert_eq!(getpriority_process(None).unwrap(), before);
    }

    #[test]
    fn as_many_jobs_run_at_the_same_time_as_there_may_be_threads_and_no_more_threads_work() {
        let mut threads = Threads::new(2);
        let (tell, told) = mpsc::channel();
        let both = Arc::new(Barrier::new(2));
        for _ in 0..6 {
            let (tell, both) = (tell.clone(), Arc::clone(&both));
            threads.run(move || {
                both.wait();
                tell.send(thread::current().id()).unwrap();
            });
        }
        drop(tell);
        let workers: Vec<thread::ThreadId> = told.iter().collect();
        assert_eq!((workers.len(), HashSet::<_>::from_iter(workers).len()), (6, 2));
    }

    #[test]
    fn a_job_that_panics_leaves_its_thread_to_the_next() {
        let mut threads = Threads::new(1);
        let first = told(&mut threads, || thread::current().id());
        threads.run(|| std::panic::panic_any("injected"));
        assert_eq!(told(&mut threads, || thread::current().id()), first);
    }

    #[test]
    fn the_threads_end_with_the_pool_after_the_jobs_they_were_given() {
        let mut threads = Threads::new(1);
        let (tell, told) = mpsc::channel();
        for job in 0..3 {
            let tell = tell.clone();
            threads.run(move || tell.send(job).unwrap());
        }
        let next = Arc::downgrade(&threads.next);
        drop((threads, tell));
        assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1, 2]);
        while next.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
