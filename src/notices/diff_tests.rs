//! What changed between two versions, by examples and by chance.

use super::diff::*;
use super::model::{Covered, CoveredField};
use proptest::prelude::*;

fn shown(runs: &[Run]) -> String {
    let mark = |r: &Run| match r.change {
        Change::Same => r.text.clone(),
        Change::Removed => format!("[-{}-]", r.text),
        Change::Added => format!("[+{}+]", r.text),
    };
    runs.iter().map(mark).collect()
}

fn all(change: &TextChange) -> Vec<String> {
    change.passages.iter().flat_map(|p| &p.blocks).map(|b| shown(&b.runs)).collect()
}

#[test]
fn words_are_the_unit() {
    let text = shown(&words("We keep it for 30 days.", "We keep it for 90 days."));
    assert_eq!(text, "We keep it for [-30-][+90+] days.");
    let text = shown(&words("kept thirty days here", "kept ninety weeks here"));
    assert_eq!(text, "kept [-thirty days-][+ninety weeks+] here");
    assert_eq!(shown(&words("a b", "a b, c")), "a b[+, c+]");
}

#[test]
fn blocks_that_belong_together_are_compared_and_others_come_or_go() {
    let before = "# Why\n\nTo find faults in the programs we run.\n\n- counts\n- names\n\nThe end.";
    let after = "# Why\n\nTo find faults and risks in the programs we run.\n\nNew here: something else entirely.\n\n- counts\n\nThe end.";
    let expected = [
        "Why",
        "To find faults [+and risks +]in the programs we run.",
        "[+New here: something else entirely.+]",
        "counts",
        "[-names-]",
        "The end.",
    ];
    assert_eq!(all(&texts(before, after)), expected);
}

#[test]
fn signs_are_not_words_but_a_links_address_is() {
    let change = texts("Ask **us**.", "Ask _us_.");
    assert!(change.only_form && !change.is_empty() && change.passages.iter().all(|p| p.same));
    let change = texts("[Ask](https://a.example)", "[Ask](https://b.example)");
    assert_eq!(all(&change), ["Ask (https://[-a-][+b+].example)"]);
    assert!(texts("Same\n", "Same").is_empty());
    let change =
        texts("| a | b |\n|---|---|\n| Kept | 30 days |", "| a | b |\n|---|---|\n| Kept | 90 days |");
    assert_eq!(all(&change), ["a · b", "Kept · [-30-][+90+] days"]);
}

#[test]
fn what_is_far_from_a_change_can_be_folded_away() {
    let lines: Vec<String> = (0..9).map(|n| format!("Paragraph number {n} stays.")).collect();
    let before = lines.join("\n\n");
    let after = before.replace("number 4 stays", "number 4 leaves");
    let change = texts(&before, &after);
    let sizes: Vec<(bool, usize)> = change.passages.iter().map(|p| (p.same, p.blocks.len())).collect();
    assert_eq!(sizes, [(true, 3), (false, 3), (true, 3)]);
}

#[test]
fn fields_are_compared_by_processing() {
    let row = |n: u128, fields: &[(&str, &str, &str)]| Covered {
        processing: uuid::Uuid::from_u128(n),
        revision: 1,
        content_sha256: String::new(),
        name: format!("Processing {n}"),
        fields: fields
            .iter()
            .map(|(id, label, value)| CoveredField {
                id: (*id).into(),
                label: (*label).into(),
                value: (*value).into(),
            })
            .collect(),
    };
    let before = [
        row(1, &[("retention", "Kept for", "30 days"), ("why", "Why", "Security")]),
        row(2, &[("why", "Why", "Pay")]),
    ];
    let after = [
        row(1, &[("retention", "Kept for", "90 days"), ("why", "Why", "Security")]),
        row(3, &[("why", "Why", "Training")]),
    ];
    let short: Vec<String> = rows(&before, &after)
        .iter()
        .flat_map(|c| {
            c.fields
                .iter()
                .map(|f| format!("{} {:?} {}: {} → {}", c.name, c.change, f.label, f.before, f.after))
        })
        .collect();
    let expected = [
        "Processing 1 Same Kept for: 30 days → 90 days",
        "Processing 3 Added Why:  → Training",
        "Processing 2 Removed Why: Pay → ",
    ];
    assert_eq!(short, expected);
    assert!(rows(&before, &before).is_empty());
}

proptest! {
    #[test]
    fn both_texts_can_be_read_off_the_words(a in "[a-c ,.]{0,30}", b in "[a-c ,.]{0,30}") {
        let runs = words(&a, &b);
        let side = |without: Change| -> String {
            runs.iter().filter(|r| r.change != without).map(|r| r.text.as_str()).collect()
        };
        prop_assert_eq!(side(Change::Added), a);
        prop_assert_eq!(side(Change::Removed), b);
    }

    #[test]
    fn a_text_is_the_same_as_itself(a in "[a-z #*|\\n-]{0,80}") {
        prop_assert!(texts(&a, &a).is_empty());
    }
}
