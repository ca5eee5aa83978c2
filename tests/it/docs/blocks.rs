//! Generated parts of a page, between `<!-- name -->` and `<!-- /name -->`.

/// Returns the page with the block of this name replaced; `None` if there is none.
pub(super) fn replace(page: &str, name: &str, block: &str) -> Option<String> {
    let (opening, closing) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&opening)?;
    let (_, after) = rest.split_once(&closing)?;
    Some(format!("{before}{opening}{block}{closing}{after}"))
}

#[test]
fn only_the_block_is_replaced() {
    let page = "a\n<!-- t -->\nold\n<!-- /t -->\nb <!-- u -->\n";
    assert_eq!(replace(page, "t", "new\n").as_deref(), Some("a\n<!-- t -->\nnew\n<!-- /t -->\nb <!-- u -->\n"));
    assert_eq!(replace(page, "u", ""), None);
}
