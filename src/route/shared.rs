//! `$shv`: variables that all shards share.
//!
//! Owns: their values. A shard never waits for another: a number is one atomic. A text is put in as a
//! whole and read as a whole; putting one in allocates, so scripts that count use numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwapOption;

/// The values of all `$shv` of a program.
#[derive(Debug, Default)]
pub(super) struct SharedVariables(Vec<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_text: AtomicBool,
    number: AtomicI64,
    text: ArcSwapOption<Box<[u8]>>,
}

impl SharedVariables {
    /// One more, 0 at first. Returns its number.
    pub fn add(&mut self) -> u16 {
        self.0.push(Shared::default());
        (self.0.len() - 1) as u16
    }

    /// The number that it holds; `None` if it is a text.
    pub fn number(&self, variable: u16) -> Option<i64> {
        let shared = &self.0[usize::from(variable)];
        let is_number = !shared.is_text.load(Ordering::Acquire);
        is_number.then(|| shared.number.load(Ordering::Relaxed))
    }

    /// Hands its text on, if it is one.
    pub fn with_text(&self, variable: u16, read: impl FnOnce(&[u8])) {
        if let Some(text) = self.0[usize::from(variable)].text.load().as_ref() {
            read(text);
        }
    }

    /// It is a number from now on.
    pub fn set_number(&self, variable: u16, number: i64) {
        let shared = &self.0[usize::from(variable)];
        shared.number.store(number, Ordering::Relaxed);
        shared.is_text.store(false, Ordering::Release);
    }

    /// It is a text from now on.
    pub fn set_text(&self, variable: u16, text: &[u8]) {
        let shared = &self.0[usize::from(variable)];
        shared.text.store(Some(Arc::new(text.into())));
        shared.is_text.store(true, Ordering::Release);
    }
}
