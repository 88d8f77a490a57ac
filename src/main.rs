//! x
fn main() {
    let o = sipshard::demo::DemoOptions { duration: Some(std::time::Duration::from_secs(std::env::args().nth(1).map_or(12, |s| s.parse().unwrap()))), rate: 150.0, workers: 2, stateless: std::env::args().nth(2).is_some() };
    let s = sipshard::demo::run(&o, &mut std::io::stdout(), false, || false).unwrap();
    println!("{s:?}");
}
