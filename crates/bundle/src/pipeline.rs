//! Work on both sides of a few threads: the caller gives jobs and takes results in order, the threads work in between.

use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{
        Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// Threads that work: two keep a two-core machine busy, and each holds segments in memory.
const WORKERS_MAX: usize = 4;
/// Jobs that are under way beside those that are worked on: what keeps the threads from waiting for the caller.
const WAITING: usize = 1;

/// Runs `work` on each job that `next` gives, and gives the results to `done` in the order of the jobs.
///
/// `next` and `done` are called by the calling thread, `work` by others. At most [`WORKERS_MAX`] + [`WAITING`] jobs and
/// results exist at a time.
///
/// # Errors
/// The first error of `next` or `done`, after which no further job begins.
pub(crate) fn run<J: Send, R: Send, E>(
    mut next: impl FnMut() -> Result<Option<J>, E>,
    work: impl Fn(J) -> R + Sync,
    mut done: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(WORKERS_MAX);
    let limit = workers + WAITING;
    let (jobs, queue) = sync_channel::<(J, SyncSender<R>)>(limit);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        // Moved in, so that it is dropped and the threads end when this closure does, on an error too.
        let jobs = jobs;
        let (mut started, mut under_way, mut ended) = (0, VecDeque::new(), false);
        while let Some(result) = {
            while under_way.len() < limit && !ended {
                let Some(job) = next()? else {
                    ended = true;
                    break;
                };
                // At work already while the next job is asked for, which may take a while to come.
                if started < workers {
                    scope.spawn(|| serve(&queue, &work));
                    started += 1;
                }
                under_way.push_back(give(&jobs, job));
            }
            under_way.pop_front()
        } {
            done(result.recv().expect("a worker answers or panics"))?;
        }
        Ok(())
    })
}

fn give<J, R>(jobs: &SyncSender<(J, SyncSender<R>)>, job: J) -> Receiver<R> {
    let (answer, result) = sync_channel(1);
    // A thread that panicked is noticed where its result is missing.
    drop(jobs.send((job, answer)));
    result
}

fn serve<J, R>(queue: &Mutex<Receiver<(J, SyncSender<R>)>>, work: &impl Fn(J) -> R) {
    loop {
        let job = queue.lock().map(|queue| queue.recv());
        let Ok(Ok((job, answer))) = job else { return };
        // The caller stopped at an error and waits for nothing.
        drop(answer.send(work(job)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_few_are_under_way() {
        for count in [0, 1, 2, 3, 500] {
            let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let (mut jobs, mut results) = (0..count, Vec::new());
            let next = || {
                most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok::<_, ()>(jobs.next())
            };
            let done = |result| {
                alive.fetch_sub(1, Ordering::SeqCst);
                results.push(result);
                Ok(())
            };
            run(next, |job: usize| job * 2, done).unwrap();
            assert_eq!(results, (0..count).map(|job| job * 2).collect::<Vec<_>>());
            // One more: the question that was answered with the end.
            assert!(most.into_inner() <= WORKERS_MAX + WAITING + 2);
        }
    }

    #[test]
    fn an_error_ends_it() {
        let mut jobs = 0..100;
        let next = || Ok(jobs.next());
        let done = |result: i32| if result == 7 { Err("seven") } else { Ok(()) };
        assert_eq!(run(next, |job| job, done), Err("seven"));
        assert!(jobs.start < 20, "no more jobs are taken");
        let mut jobs = 0..3;
        let next = || jobs.next().map(Some).ok_or("cannot read");
        assert_eq!(run(next, |job: i32| job, |_| Ok(())), Err("cannot read"));
    }
}
