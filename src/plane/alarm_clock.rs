//! Waiting for sockets until a point in time, to some microseconds: `mio` alone rounds up to milliseconds,
//! and at a thousand calls a second that would be the greatest part of what is measured.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::time::Timestamp;

/// Longest wait, so that a request to stop is seen.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A timer of the kernel that wakes a [`Poll`].
#[derive(Debug)]
pub struct AlarmClock {
    timer: OwnedFd,
    /// When it rings, if that lies ahead.
    set_for: Option<Timestamp>,
}

impl AlarmClock {
    /// A clock that makes `token` ready when it rings.
    ///
    /// # Errors
    /// If the system gives no timer.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let descriptor = timer.as_raw_fd();
        registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        Ok(Self {
            timer,
            set_for: None,
        })
    }

    /// Waits for a socket until `deadline`, or only looks if it has passed.
    ///
    /// # Errors
    /// As [`Poll::poll`], without interruptions.
    pub fn wait(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        now: Timestamp,
        deadline: Option<Timestamp>,
    ) -> io::Result<()> {
        let left = deadline.map_or(LONGEST_WAIT, |deadline| deadline.since(now));
        let timeout = if left.is_zero() {
            Duration::ZERO
        } else {
            if let Some(deadline) = deadline.filter(|_| left < LONGEST_WAIT) {
                self.set(now, deadline)?;
            }
            LONGEST_WAIT
        };
        match poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn set(&mut self, now: Timestamp, deadline: Timestamp) -> io::Result<()> {
        // One that rings earlier does no harm: it wakes, and is set anew.
        if self.set_for.is_some_and(|at| now < at && at <= deadline) {
            return Ok(());
        }
        let left = deadline.since(now).max(Duration::from_nanos(1));
        let timer = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &timer)?;
        self.set_for = Some(deadline);
        Ok(())
    }
}
