//! What one shard does with calls, message by message.

mod accounting;
mod answered;
mod answers;
mod calls;
mod corners;
mod forking;
mod limits;
mod relaying;
mod scripts;
mod strangers;
mod support;
mod texts;
