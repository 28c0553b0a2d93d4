//! The scrapes of `/metrics`: their interval, and the wait for a last one at shutdown.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::timeout_at;

/// The time by which a scraper may be late, in addition to a tenth of its interval.
const SLACK: Duration = Duration::from_millis(100);

/// The completed scrapes of one instance.
#[derive(Debug, Default)]
pub(crate) struct Scrapes {
    times: Mutex<Times>,
    completed: Notify,
}

#[derive(Debug, Default)]
struct Times {
    /// The begin of the last completed scrape.
    last: Option<Instant>,
    /// The last two intervals. Two scrapers give unequal ones: the longer one counts.
    intervals: [Option<Duration>; 2],
}

/// The result of [`Scrapes::wait_for_last`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LastScrape {
    /// No scraper was seen, because there were less than two scrapes, or it is gone.
    NoScraper,
    Completed,
    /// The next scrape of this interval is not due before the deadline.
    NotDue(Duration),
}

impl Scrapes {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a completed scrape that began at `began`.
    pub(crate) fn complete(&self, began: Instant) {
        let mut times = self.times();
        if let Some(last) = times.last {
            let interval = began.saturating_duration_since(last);
            times.intervals = [times.intervals[1], Some(interval)];
        }
        times.last = times.last.max(Some(began));
        drop(times);
        self.completed.notify_waiters();
    }

    /// Returns the time by which the next scrape is due. An error if no scraper was seen, or if its
    /// next scrape is not due before `deadline`.
    fn next_scrape(&self, deadline: Instant) -> Result<Instant, LastScrape> {
        let times = self.times();
        let interval = times.intervals.iter().flatten().max().copied();
        let (Some(last), Some(interval)) = (times.last, interval) else {
            return Err(LastScrape::NoScraper);
        };
        let due = last + interval + interval / 10 + SLACK;
        if due > deadline { Err(LastScrape::NotDue(interval)) } else { Ok(due) }
    }

    /// Waits for a scrape that begins after `since`, if a scraper was seen whose next scrape is due
    /// before `deadline`.
    pub(crate) async fn wait_for_last(&self, since: Instant, deadline: Instant) -> LastScrape {
        let due = match self.next_scrape(deadline) {
            Ok(next) => next,
            Err(no_wait) => return no_wait,
        };
        let scraped = async {
            loop {
                // Created before the check: a completion in between is not missed.
                let completed = self.completed.notified();
                if self.times().last.is_some_and(|last| last >= since) {
                    return;
                }
                completed.await;
            }
        };
        match timeout_at(due, scraped).await {
            Ok(()) => LastScrape::Completed,
            Err(_) => LastScrape::NoScraper,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Scrapes at these seconds.
    fn scraped_at(start: Instant, seconds: &[u32]) -> Scrapes {
        let scrapes = Scrapes::default();
        seconds.iter().for_each(|second| scrapes.complete(start + *second * SECOND));
        scrapes
    }

    #[test]
    fn a_scraper_is_awaited_only_if_it_is_due_before_the_deadline() {
        let start = Instant::now();
        let next = |seconds: &[u32], deadline: u32| {
            scraped_at(start, seconds).next_scrape(start + deadline * SECOND)
        };
        let due = start + 6 * SECOND + 3 * SECOND / 10 + SLACK;
        assert_eq!(next(&[0, 3], 8), Ok(due));
        assert_eq!(next(&[0, 15], 20), Err(LastScrape::NotDue(15 * SECOND)));
        assert_eq!(next(&[0], 60), Err(LastScrape::NoScraper));
        // Two scrapers of 15 s, one 2 s after the other.
        assert_eq!(next(&[0, 2, 15, 17], 22), Err(LastScrape::NotDue(13 * SECOND)));
    }
}
