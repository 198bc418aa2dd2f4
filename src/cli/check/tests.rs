use cdc_sdk::Finding;

use super::report;

#[test]
fn what_must_be_mended_comes_first() {
    let findings = [Finding::warning("w", "know it"), Finding::blocking("b", "SET PERSIST x = 1;")];
    let text = report(&findings);
    assert_eq!(
        text,
        "[must] b\n       SET PERSIST x = 1;\n[warn] w\n       know it\nnot fit to run; to be mended: 1, to be known: 1\n"
    );
}

#[test]
fn warnings_alone_do_not_make_it_unfit() {
    assert_eq!(report(&[]), "fit to run\n");
    assert!(report(&[Finding::warning("w", "m")]).ends_with("fit to run; to be known: 1\n"));
}
