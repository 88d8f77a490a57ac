//! Fields for messages from a CSV file, as SIPp's `-inf`: the first line says in which order lines are used.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::credentials::of_field;

/// In which order calls get their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Sequential,
    Random,
}

/// The lines of a file.
#[derive(Clone, Debug)]
pub struct Injection {
    order: Order,
    rows: Vec<Vec<Vec<u8>>>,
}

impl Injection {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not as SIPp wants it.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        Self::parse(&bytes).with_context(|| name.to_string())
    }

    /// Reads the lines of a file.
    ///
    /// # Errors
    /// If the first line names no order, or no line follows.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let order = match first.to_ascii_uppercase().trim_ascii() {
            b"SEQUENTIAL" => Order::Sequential,
            b"RANDOM" => Order::Random,
            b"" => bail!("line 1 is empty: it must be SEQUENTIAL or RANDOM"),
            other @ (b"USER" | b"PRINTF") => bail!(
                "line 1: {} is not supported: it must be SEQUENTIAL or RANDOM",
                String::from_utf8_lossy(other)
            ),
            other => bail!(
                "line 1: `{}` is not SEQUENTIAL or RANDOM",
                String::from_utf8_lossy(other)
            ),
        };
        let rows: Vec<Vec<Vec<u8>>> = lines
            .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
            .map(|line| {
                line.split(|byte| *byte == b';')
                    .map(<[u8]>::to_vec)
                    .collect()
            })
            .collect();
        ensure!(!rows.is_empty(), "no line after the first");
        for field in rows.iter().flatten() {
            if let Some(Err(why)) = of_field(field) {
                bail!("{}: {why}", String::from_utf8_lossy(field));
            }
        }
        Ok(Self { order, rows })
    }

    /// How many fields every line has at least.
    pub fn fields(&self) -> usize {
        self.rows.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// The line of a call, by its number or by chance.
    pub fn row(&self, number: u64, chance: u64) -> u32 {
        let which = match self.order {
            Order::Sequential => number,
            Order::Random => chance,
        };
        (which % self.rows.len() as u64) as u32
    }

    /// One field of a line; empty if it has not so many.
    pub fn field(&self, row: u32, field: usize) -> &[u8] {
        let row = self.rows.get(row as usize);
        row.and_then(|row| row.get(field))
            .map_or(&[], Vec::as_slice)
    }
}
