use cdc_sdk::{Error, Fate, Kind};

use super::{Outcome, exit_code};

#[test]
fn each_result_has_its_code() {
    assert_eq!(exit_code(&Ok(Outcome::Done)), 0);
    assert_eq!(exit_code(&Ok(Outcome::Unfit)), 1);
}

#[test]
fn each_kind_of_error_has_its_code() {
    for kind in Kind::ALL {
        let expected = match (kind, kind.fate()) {
            (Kind::Usage | Kind::Settings | Kind::Refused, _) => 2,
            (_, Fate::Halt | Fate::Quarantine) => 3,
            (_, Fate::Retry) => 4,
        };
        assert_eq!(exit_code(&Err(Error::new(*kind, "x"))), expected, "{kind:?}");
    }
}

#[test]
fn those_that_scripts_rely_on() {
    let code = |kind| exit_code(&Err(Error::new(kind, "x")));
    assert_eq!(code(Kind::NothingYet), 4);
    assert_eq!(code(Kind::MysqlUnreachable), 4);
    assert_eq!(code(Kind::Purged), 3);
    assert_eq!(code(Kind::Decode), 3);
    assert_eq!(code(Kind::Unfit), 3);
}
