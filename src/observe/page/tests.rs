use super::{escape, render};
use crate::observe::Status;

#[test]
fn what_comes_from_outside_is_escaped() {
    let status =
        Status { name: "<script>\"&'".to_owned(), position: Some("<b>".to_owned()), ..Status::default() };
    let page = render(&status);
    assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    assert!(page.contains("&lt;script&gt;&quot;&amp;&#39;"), "{page}");
    assert_eq!(escape("ö"), "ö");
}

#[test]
fn it_has_the_lines_of_the_status() {
    let page = render(&Status { state: "caught_up".to_owned(), ..Status::default() });
    assert!(page.contains("<th>state</th><td>caught up</td>"), "{page}");
}
