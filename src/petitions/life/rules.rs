//! The published rules, from the constants that the program itself goes by.

use askama::Template;
use axum::response::Response;

use super::model::{ANSWER, BACKGROUND, DEMAND, TITLE, UPDATE};
use crate::error::Result;
use crate::ledger::proof::petition::SLOTS;
use crate::petitions::model::{
    ANSWER_DAYS, ARCHIVE_DAYS, CHECKING_DAYS, FEW, OPEN_DAYS, PACKS_NEEDED, REFUSALS, SEEKING_DAYS,
    SUPPORTERS,
};
use crate::web::{Page, html};

#[derive(Template)]
#[template(path = "petitions/rules.html")]
struct RulesPage {
    page: Page,
    supporters: i64,
    seeking_days: i64,
    checking_days: i64,
    answer_days: i64,
    archive_days: i64,
    open_days: [i32; 3],
    packs_needed: i64,
    petitions_each: u64,
    few: u64,
    refusals: &'static [(&'static str, &'static str)],
    title: [usize; 2],
    demand: [usize; 2],
    background: usize,
    update: usize,
    answer: [usize; 2],
}

pub async fn show(page: Page) -> Result<Response> {
    html(&RulesPage {
        page,
        supporters: SUPPORTERS,
        seeking_days: SEEKING_DAYS,
        checking_days: CHECKING_DAYS,
        answer_days: ANSWER_DAYS,
        archive_days: ARCHIVE_DAYS,
        open_days: OPEN_DAYS,
        packs_needed: PACKS_NEEDED,
        petitions_each: SLOTS - 1,
        few: FEW,
        refusals: REFUSALS,
        title: TITLE,
        demand: DEMAND,
        background: BACKGROUND,
        update: UPDATE,
        answer: ANSWER,
    })
}
