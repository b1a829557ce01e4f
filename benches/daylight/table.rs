//! Rows of results: printed, as JSON, and as a picture.

use std::fmt::Write;

use serde_json::{Value, json};

#[derive(Clone, Copy)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// One figure against its reference, round by round.
pub struct Row {
    pub name: String,
    pub unit: &'static str,
    /// Empty when the figure stands for itself.
    pub reference: &'static str,
    /// The subject's and the reference's figure of each round.
    pub rounds: Vec<(f64, Option<f64>)>,
    pub target: Option<Target>,
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

impl Row {
    fn subject(&self) -> f64 {
        median(&mut self.rounds.iter().map(|r| r.0).collect::<Vec<_>>())
    }

    fn reference_median(&self) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(|r| r.1).collect();
        (!values.is_empty()).then(|| median(&mut values))
    }

    /// What the target is about: each round's ratio, or the figure itself.
    fn figures(&self) -> Vec<f64> {
        self.rounds.iter().map(|(s, r)| r.map_or(*s, |r| s / r)).collect()
    }

    fn figure(&self) -> f64 {
        median(&mut self.figures())
    }

    fn spread(&self) -> (f64, f64) {
        let figures = self.figures();
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        (least, figures.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    fn verdict(&self) -> String {
        let (met, words) = match self.target {
            None => return String::new(),
            Some(Target::AtLeast(t)) => (self.figure() >= t, format!("≥ {t}")),
            Some(Target::AtMost(t)) => (self.figure() <= t, format!("≤ {t}")),
        };
        if met { format!("{words} met") } else { format!("{words} MISSED") }
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// As Markdown, so that it can be copied into docs/performance.md.
pub fn print(rows: &[Row]) -> String {
    let mut out = String::from(
        "| name | reference | subject median | reference median | ratio | spread | target |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let (least, most) = row.spread();
        let reference = row.reference_median();
        let _ = writeln!(
            out,
            "| {} | {} | {} {} | {} | {} | {} to {} | {} |",
            row.name,
            if reference.is_some() { row.reference } else { "–" },
            number(row.subject()),
            row.unit,
            reference.map_or("–".into(), |r| format!("{} {}", number(r), row.unit)),
            reference.map_or("–".into(), |_| number(row.figure())),
            number(least),
            number(most),
            row.verdict(),
        );
    }
    out
}

pub fn json(rows: &[Row], about: Value) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let target = row.target.map(|t| match t {
                Target::AtLeast(v) => json!({ "at_least": v }),
                Target::AtMost(v) => json!({ "at_most": v }),
            });
            json!({
                "name": row.name, "unit": row.unit, "reference": row.reference, "target": target,
                "subject_median": row.subject(), "reference_median": row.reference_median(),
                "ratio": row.reference_median().map(|_| row.figure()), "spread": row.spread(),
                "rounds": row.rounds, "verdict": row.verdict(),
            })
        })
        .collect();
    json!({ "about": about, "rows": rows })
}

/// A bar for each row that has a reference or a target: the ratio, or the figure over its target. A tick
/// marks the target.
pub fn svg(rows: &[Row]) -> String {
    const SCALE: f64 = 320.0;
    const MOST: f64 = 1.5;
    let shown: Vec<&Row> =
        rows.iter().filter(|r| r.target.is_some() || r.reference_median().is_some()).collect();
    let height = 50 + 26 * shown.len();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"{height}\" viewBox=\"0 0 900 {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>Daylight, measured</title>\n\
         <text x=\"8\" y=\"22\" font-weight=\"bold\">Ratio to the reference; without one, to the target. \
         Dark tick: the target.</text>\n"
    );
    for (i, row) in shown.into_iter().enumerate() {
        let y = 40 + 26 * i;
        let target = row.target.map(|t| match t {
            Target::AtLeast(v) | Target::AtMost(v) => v,
        });
        let (value, tick) = match (row.reference_median(), target) {
            (None, Some(t)) => (row.figure() / t, Some(1.0)),
            _ => (row.figure(), target),
        };
        let name = row.name.replace('&', "&amp;").replace('<', "&lt;");
        let colour = if row.verdict().ends_with("MISSED") { "#b3261e" } else { "#2b6cb0" };
        let width = value.min(MOST) / MOST * SCALE;
        let _ = writeln!(
            out,
            "<text x=\"8\" y=\"{}\">{name}</text><rect x=\"480\" y=\"{y}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{}</text>",
            y + 13,
            480.0 + SCALE + 12.0,
            y + 13,
            number(value),
        );
        if let Some(tick) = tick {
            let x = 480.0 + tick.min(MOST) / MOST * SCALE;
            let _ =
                writeln!(out, "<rect x=\"{x:.1}\" y=\"{}\" width=\"2\" height=\"22\" fill=\"#111\"/>", y - 3);
        }
    }
    out.push_str("</svg>\n");
    out
}
