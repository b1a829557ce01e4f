//! Long lists in pages: which part is shown, and the links before and after it.

use askama::Template;

#[derive(Debug, Clone, Template)]
#[template(path = "parts/pager.html")]
pub struct Pager {
    /// From 1.
    page: i64,
    per_page: i64,
    total: i64,
    /// The address up to the page's number: `/people?q=ada&`.
    base: String,
}

impl Pager {
    /// `asked` is the address's `page`; what isn't a page of this list is the nearest one that is.
    pub fn new(asked: Option<&str>, per_page: i64, total: i64, base: impl Into<String>) -> Self {
        let last = ((total + per_page - 1) / per_page).max(1);
        let page = asked.and_then(|p| p.parse().ok()).unwrap_or(1).clamp(1, last);
        Pager { page, per_page, total, base: base.into() }
    }

    pub fn offset(&self) -> i64 {
        (self.page - 1) * self.per_page
    }

    pub fn limit(&self) -> i64 {
        self.per_page
    }

    pub fn total(&self) -> i64 {
        self.total
    }

    fn last(&self) -> i64 {
        ((self.total + self.per_page - 1) / self.per_page).max(1)
    }

    fn link(&self, page: i64) -> Option<String> {
        (page >= 1 && page <= self.last()).then(|| format!("{}page={page}", self.base))
    }

    fn previous(&self) -> Option<String> {
        self.link(self.page - 1)
    }

    fn next(&self) -> Option<String> {
        self.link(self.page + 1)
    }

    fn range(&self) -> String {
        let to = (self.offset() + self.per_page).min(self.total);
        format!("{}–{to} of {}", self.offset() + 1, self.total)
    }
}

impl askama::filters::HtmlSafe for Pager {}

#[cfg(test)]
mod tests {
    use super::Pager;

    #[test]
    fn a_page_that_is_none_is_the_nearest_one() {
        let page = |asked, total| Pager::new(asked, 50, total, "/x?").page;
        assert_eq!(page(None, 0), 1);
        assert_eq!(page(Some("2"), 120), 2);
        assert_eq!(page(Some("99"), 120), 3);
        assert_eq!(page(Some("-1"), 120), 1);
        assert_eq!(page(Some("x"), 120), 1);
        let last = Pager::new(Some("3"), 50, 120, "/x?q=a&");
        assert_eq!((last.previous(), last.next()), (Some("/x?q=a&page=2".into()), None));
        assert_eq!(last.range(), "101–120 of 120");
    }
}
