//! Where sets come from: today the list file.
//!
//! Owns: reading the source and resolving host names. May touch: files and the system's resolver, on
//! the control thread only; what it gives are entries, which `dispatch` puts into sets.

pub mod list_file;

pub use list_file::{Families, ListFile, ListRules, LoadError, Loaded};
