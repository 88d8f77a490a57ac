//! A program of the test's own: it ends with whoever holds it, and in any case after a while.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::Place;

/// No program of these tests runs longer, even if the test is killed.
const LIFE_SECONDS: &str = "100";

/// How long a program may take to end when it is asked to.
const END: Duration = Duration::from_secs(5);

/// A running program.
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program in the working directory of a place. What it prints goes to a file there.
    pub fn start(place: &Place, name: &str, program: &str, arguments: &[String]) -> Self {
        let output = place.file(&format!("{name}.log"));
        let file = File::create(&output).expect("a file for the output");
        let errors = file.try_clone().expect("the same file");
        let child = Command::new("timeout")
            .args(["--kill-after=5", LIFE_SECONDS, program])
            .args(arguments)
            .current_dir(place.run())
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            // A group of its own: Kamailio has children.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        Self { child, output }
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its last lines, without those for its own programmers.
    pub fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output
            .lines()
            .filter(|line| !line.contains("DEBUG"))
            .collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Its exit status, once it has ended.
    pub fn status(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("a child of ours")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        wait_for(limit, || self.status())
    }

    /// Sends a signal to it and its children.
    fn signal(&self, name: &str) {
        // It may have ended by itself.
        Command::new("kill")
            .args(["-s", name, "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status()
            .expect("kill is everywhere");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status().is_none() {
            self.signal("TERM");
            self.wait(END);
        }
        // Only now is the number of the group free for others, and nobody may be left in it.
        if self.status().is_none() {
            self.signal("KILL");
            self.child.wait().ok();
        }
    }
}

/// Waits until there is something, but not longer than this.
pub fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = look() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
