//! The command line of sipshard. What it does is in the library; the verbs are in `cli`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
