//! Line charts as SVG: axes, grid, curves, and what the pointer is told. Colours come from the page's style, so
//! that one picture serves light and dark.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 32.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

/// How an axis maps values to places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers of ten.
    Log,
    /// Quantiles by powers of ten of what lies above: HdrHistogram's scale.
    Quantile,
}

/// What tells curves of one colour apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// A line.
    Whole,
    /// Dashes.
    Dashed,
    /// Dots.
    Dotted,
}

impl Stroke {
    /// The first, second and further ones.
    pub fn of(number: usize) -> Self {
        match number {
            0 => Self::Whole,
            1 => Self::Dashed,
            _ => Self::Dotted,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Dashed => " dashed",
            Self::Dotted => " dotted",
        }
    }
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Which of the page's colours it has, counted from 0.
    pub colour: usize,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A stretch of the horizontal axis and what is said when the pointer rests on it.
#[derive(Clone, Debug)]
pub struct Hover {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub until: f64,
    /// What is said.
    pub text: String,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// What the horizontal axis shows.
    pub x_label: &'a str,
    /// What the vertical axis shows.
    pub y_label: &'a str,
    /// How the horizontal axis is divided.
    pub x_scale: Scale,
    /// How the vertical axis is divided.
    pub y_scale: Scale,
    /// The curves.
    pub series: Vec<Series>,
    /// What the pointer is told.
    pub hovers: Vec<Hover>,
}

/// An axis with its bounds, as transformed values.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    /// Values and what stands beside them.
    ticks: Vec<(f64, String)>,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(1e-9).log10(),
            Self::Quantile => -(1.0 - value).max(1e-12).log10(),
        }
    }
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(f64::NEG_INFINITY, f64::max);
        let (least, most) = if least <= most {
            (least, most)
        } else {
            (0.0, 1.0)
        };
        match scale {
            Scale::Linear => Self::linear(most),
            Scale::Log => Self::log(least, most),
            Scale::Quantile => Self::quantile(most),
        }
    }

    fn linear(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let raw = most / 5.0;
        let decade = 10_f64.powf(raw.log10().floor());
        let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
        let fits = |factor: &&f64| **factor * decade >= raw * 0.999;
        let step = factors.iter().find(fits).unwrap_or(&10.0) * decade;
        let number = (most / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=number as u32).map(|index| {
            let value = f64::from(index) * step;
            (value, label(value))
        });
        Self {
            scale: Scale::Linear,
            low: 0.0,
            high: number * step,
            ticks: ticks.collect(),
        }
    }

    fn log(least: f64, most: f64) -> Self {
        let (least, most) = (least.max(1e-6), most.max(1e-6));
        let low = least.log10().floor();
        let high = most.log10().ceil().max(low + 1.0);
        let mut ticks = Vec::new();
        for decade in low as i32..=high as i32 {
            for factor in [1.0, 2.0, 5.0] {
                let value = factor * 10_f64.powi(decade);
                let inside = value.log10() <= high + 1e-9;
                // With many decades only the whole ones have room for their names.
                if inside && (factor < 1.5 || high - low <= 3.0) {
                    ticks.push((value, label(value)));
                }
            }
        }
        Self {
            scale: Scale::Log,
            low,
            high,
            ticks,
        }
    }

    fn quantile(most: f64) -> Self {
        // A hair less: 0.9999 is not quite what four nines are.
        let high = (Scale::Quantile.place(most).clamp(2.0, 7.0) - 1e-6).ceil();
        let mut ticks = vec![(0.0, "0 %".to_owned()), (0.5, "50 %".to_owned())];
        for nines in 1..=high as i32 {
            let value = 1.0 - 10_f64.powi(-nines);
            let digits = usize::try_from(nines - 2).unwrap_or(0);
            ticks.push((value, format!("{:.digits$} %", value * 100.0)));
        }
        Self {
            scale: Scale::Quantile,
            low: 0.0,
            high,
            ticks,
        }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = (self.scale.place(value) - self.low) / (self.high - self.low);
        place.clamp(0.0, 1.0)
    }
}

/// A number as short as it can be: 0.05, 20, 1.5k, 2M.
fn label(value: f64) -> String {
    let (value, unit) = match value {
        big if big >= 1e6 => (value / 1e6, "M"),
        big if big >= 10_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if value == 0.0 || value >= 100.0 {
        0
    } else {
        (2 - value.log10().floor() as i32).clamp(0, 6) as usize
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

/// Text that is safe in HTML and SVG.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Chart<'_> {
    /// The picture, with a legend above it if there is more than one curve.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x_axis = Axis::new(self.x_scale, points().map(|(x, _)| *x));
        let y_axis = Axis::new(self.y_scale, points().map(|(_, y)| *y));
        let x = |value: f64| LEFT + x_axis.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - y_axis.place(value) * (HEIGHT - TOP - BOTTOM);
        let mut out = self.legend();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} over {}\">",
            escape(self.y_label),
            escape(self.x_label)
        );
        for (value, name) in &y_axis.ticks {
            let at = y(*value);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" class=\"y\">{name}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0
            );
        }
        for (value, name) in &x_axis.ticks {
            let at = x(*value);
            let bottom = HEIGHT - BOTTOM;
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" class=\"x\">{name}</text>",
                bottom + 16.0
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"x label\">{}</text>\
             <text transform=\"translate(14 {:.1}) rotate(-90)\" class=\"x label\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 8.0,
            escape(self.x_label),
            f64::midpoint(TOP, HEIGHT - BOTTOM),
            escape(self.y_label)
        );
        for series in &self.series {
            curve(&mut out, series, x, y);
        }
        for hover in &self.hovers {
            let (from, until) = (x(hover.from), x(hover.until));
            let _ = writeln!(
                out,
                "<rect class=\"hover\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\">\
                 <title>{}</title></rect>",
                (until - from).max(1.0),
                HEIGHT - TOP - BOTTOM,
                escape(&hover.text)
            );
        }
        out.push_str("</svg>\n");
        out
    }

    fn legend(&self) -> String {
        if self.series.len() < 2 {
            return String::new();
        }
        let mut out = "<p class=\"legend\">".to_owned();
        for series in &self.series {
            let _ = write!(
                out,
                "<span><svg class=\"key\" viewBox=\"0 0 28 10\"><path class=\"curve c{}{}\" \
                 d=\"M0 5H28\"/></svg>{}</span>",
                series.colour,
                series.stroke.class(),
                escape(&series.name)
            );
        }
        out.push_str("</p>\n");
        out
    }
}

fn curve(out: &mut String, series: &Series, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    let class = format!("c{}{}", series.colour, series.stroke.class());
    if let [(at, value)] = series.points[..] {
        let _ = writeln!(
            out,
            "<circle class=\"point {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
            x(at),
            y(value)
        );
        return;
    }
    let _ = write!(out, "<path class=\"curve {class}\" d=\"");
    let mut mark = 'M';
    for (at, value) in &series.points {
        let _ = write!(out, "{mark}{:.1} {:.1}", x(*at), y(*value));
        mark = 'L';
    }
    out.push_str("\"/>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (0.25, "0.25"),
            (20.0, "20"),
            (2_500.0, "2500"),
            (15_000.0, "15k"),
            (2_500_000.0, "2.5M"),
        ] {
            assert_eq!(label(value), text);
        }
    }

    #[test]
    fn axes_hold_their_values_and_have_a_few_names() {
        for most in [0.0, 0.3, 1.0, 7.0, 99.0, 12_345.0] {
            let axis = Axis::linear(most);
            assert!(axis.high >= most, "{most}");
            assert!(
                (2..=7).contains(&axis.ticks.len()),
                "{most}: {:?}",
                axis.ticks
            );
        }
        let axis = Axis::log(0.04, 31.0);
        assert!((axis.low - -2.0).abs() < 1e-9 && (axis.high - 2.0).abs() < 1e-9);
        let axis = Axis::quantile(0.9999);
        let names: Vec<&str> = axis.ticks.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
    }

    #[test]
    fn a_chart_of_nothing_is_still_a_picture() {
        let chart = Chart {
            x_label: "a<b",
            y_label: "y",
            x_scale: Scale::Linear,
            y_scale: Scale::Log,
            series: Vec::new(),
            hovers: Vec::new(),
        };
        let svg = chart.svg();
        assert!(svg.contains("a&lt;b") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }
}
