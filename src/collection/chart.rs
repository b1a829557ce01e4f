//! Pictures as shapes and classes; templates draw them as SVG. Each has a table or list with the same facts
//! beside it.

use super::mine::{CategoryView, Cell, Mine, Watch};
use super::report::program;
use crate::clock::Day;

/// Width of a day's cell, from one to the next, and height of a row with its label.
const STEP: i64 = 12;
const ROW: i64 = 44;
const LEFT: i64 = 2;
const TOP: i64 = 22;

/// Amount by day and category.
pub struct Heat {
    pub width: i64,
    pub height: i64,
    pub rows: Vec<HeatRow>,
    /// First day of each month: x and its name.
    pub months: Vec<(i64, String)>,
}

pub struct HeatRow {
    pub label: String,
    pub label_y: i64,
    pub y: i64,
    pub cells: Vec<HeatCell>,
}

pub struct HeatCell {
    pub x: i64,
    pub class: &'static str,
    pub bad: bool,
}

pub fn heat(days: &[Day], categories: &[CategoryView]) -> Heat {
    let rows = categories
        .iter()
        .enumerate()
        .map(|(i, view)| {
            let top = TOP + i as i64 * ROW;
            let most = usual_most(&view.cells);
            let cells = view
                .cells
                .iter()
                .enumerate()
                .map(|(n, cell)| HeatCell {
                    x: LEFT + n as i64 * STEP,
                    class: class(cell, most),
                    bad: cell.bad,
                })
                .collect();
            HeatRow { label: view.category.name().to_owned(), label_y: top + 12, y: top + 18, cells }
        })
        .collect();
    let months = days
        .iter()
        .enumerate()
        .filter(|(n, day)| day.jiff().day() == 1 && *n + 3 < days.len())
        .map(|(n, day)| (LEFT + n as i64 * STEP, day.jiff().strftime("%B").to_string()))
        .collect();
    Heat {
        width: LEFT * 2 + days.len() as i64 * STEP,
        height: TOP + categories.len() as i64 * ROW + 4,
        rows,
        months,
    }
}

/// The amount that nineteen of twenty days stay under, so that one busy day doesn't pale the others.
fn usual_most(cells: &[Cell]) -> i64 {
    let mut counts: Vec<i64> = cells.iter().map(|c| c.count).filter(|c| *c > 0).collect();
    counts.sort_unstable();
    counts.get(counts.len() * 19 / 20).or(counts.last()).copied().unwrap_or(1)
}

fn class(cell: &Cell, most: i64) -> &'static str {
    match (cell.count, cell.watch) {
        (0, Watch::Nobody) => "heat-none",
        (0, Watch::Gap) => "heat-unknown",
        (0, Watch::Whole) => "heat-0",
        (count, _) => {
            let step = (count.saturating_mul(4) + most - 1) / most.max(1);
            ["heat-1", "heat-2", "heat-3", "heat-4"][step.clamp(1, 4) as usize - 1]
        }
    }
}

/// How data flows: source → category → purpose → recipient.
pub struct Flow {
    pub width: i64,
    pub height: i64,
    pub nodes: Vec<FlowNode>,
    pub links: Vec<FlowLink>,
    pub columns: [(i64, &'static str); 4],
    /// The same as sentences.
    pub paths: Vec<FlowPath>,
}

pub struct FlowNode {
    pub x: i64,
    pub y: i64,
    pub text_y: i64,
    pub label: String,
    pub full: String,
    pub undeclared: bool,
}

pub struct FlowLink {
    pub d: String,
    pub undeclared: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct FlowPath {
    pub steps: [String; 4],
    pub undeclared: bool,
}

const NODE_WIDTH: i64 = 210;
const COLUMN_STEP: i64 = 285;
const NODE_HEIGHT: i64 = 34;
const NODE_STEP: i64 = 46;

pub fn flow(mine: &Mine) -> Flow {
    let paths = paths(mine);
    let mut columns: [Vec<(String, bool)>; 4] = Default::default();
    for path in &paths {
        for (column, step) in columns.iter_mut().zip(&path.steps) {
            match column.iter_mut().find(|(label, _)| label == step) {
                // A node is undeclared when everything that touches it is.
                Some((_, undeclared)) => *undeclared &= path.undeclared,
                None => column.push((step.clone(), path.undeclared)),
            }
        }
    }
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0) as i64;
    let place = |column: usize, label: &str| -> (i64, i64) {
        let list = &columns[column];
        let index = list.iter().position(|(l, _)| l == label).unwrap_or(0) as i64;
        // Shorter columns are centred.
        let offset = (tallest - list.len() as i64) * NODE_STEP / 2;
        (LEFT + column as i64 * COLUMN_STEP, 30 + offset + index * NODE_STEP)
    };
    let mut nodes = Vec::new();
    for (column, list) in columns.iter().enumerate() {
        for (label, undeclared) in list {
            let (x, y) = place(column, label);
            nodes.push(FlowNode {
                x,
                y,
                text_y: y + 22,
                label: shorten(label, 27),
                full: label.clone(),
                undeclared: *undeclared,
            });
        }
    }
    let mut links: Vec<FlowLink> = Vec::new();
    for path in &paths {
        for column in 0..3 {
            let (x1, y1) = place(column, &path.steps[column]);
            let (x2, y2) = place(column + 1, &path.steps[column + 1]);
            let (x1, y1, y2) = (x1 + NODE_WIDTH, y1 + NODE_HEIGHT / 2, y2 + NODE_HEIGHT / 2);
            let middle = (x1 + x2) / 2;
            let d = format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}");
            match links.iter_mut().find(|l| l.d == d) {
                Some(link) => link.undeclared &= path.undeclared,
                None => links.push(FlowLink { d, undeclared: path.undeclared }),
            }
        }
    }
    let titles = ["Source", "What", "Why", "Who gets it"];
    Flow {
        width: LEFT * 2 + 3 * COLUMN_STEP + NODE_WIDTH,
        height: 34 + tallest * NODE_STEP,
        nodes,
        links,
        columns: std::array::from_fn(|i| (LEFT + i as i64 * COLUMN_STEP, titles[i])),
        paths,
    }
}

/// Declared paths first, then what was observed beyond them.
fn paths(mine: &Mine) -> Vec<FlowPath> {
    let mut paths: Vec<FlowPath> = Vec::new();
    let mut push = |path: FlowPath| {
        if !paths.contains(&path) {
            paths.push(path);
        }
    };
    for view in &mine.categories {
        for d in &view.declared {
            let c = &d.content;
            for recipient in &c.recipients {
                push(FlowPath {
                    steps: [
                        c.source.name.clone(),
                        view.category.name().into(),
                        c.purpose.name().into(),
                        recipient.name.clone(),
                    ],
                    undeclared: false,
                });
            }
        }
        if view.status > super::model::Status::Exceeds {
            continue;
        }
        for o in &view.observed {
            let program = program(&o.source).to_owned();
            let declared = |f: &dyn Fn(&crate::register::Declaration) -> bool| view.declared.iter().any(f);
            let known_program = declared(&|d| d.content.source.matches(&o.source));
            let known_place = o
                .destination
                .as_ref()
                .is_none_or(|(host, ..)| declared(&|d| d.content.hosts().any(|h| h == host)));
            let known_purpose = o.purpose.is_none_or(|p| declared(&|d| d.content.purpose == p));
            if known_program && known_place && known_purpose {
                continue;
            }
            push(FlowPath {
                steps: [
                    program,
                    view.category.name().into(),
                    o.purpose.map_or("No purpose given".into(), |p| p.name().into()),
                    o.destination.as_ref().map_or("Your computer only".into(), |(host, ..)| host.clone()),
                ],
                undeclared: true,
            });
        }
    }
    paths
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
