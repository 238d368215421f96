use proptest::prelude::*;

use super::*;

/// Reads a text expression as SQL Server does: literals joined by `+`, quotes doubled, a backslash
/// before a line end dropped with it. `None` when anything is left over.
fn read_literal(sql: &str) -> Option<String> {
    let mut chars = sql.chars().peekable();
    let mut text = String::new();
    loop {
        if chars.next()? != '\'' {
            return None;
        }
        loop {
            match chars.next()? {
                '\'' if chars.peek() == Some(&'\'') => text.extend(chars.next()),
                '\'' => break,
                '\\' if chars.peek() == Some(&'\n') => drop(chars.next()),
                '\\' if chars.peek() == Some(&'\r') => {
                    chars.next();
                    chars.next_if_eq(&'\n');
                }
                c => text.push(c),
            }
        }
        match chars.next() {
            None => return Some(text),
            Some('+') => {}
            Some(_) => return None,
        }
    }
}

fn equals(text: &str) -> Option<String> {
    read_literal(
        Filter::eq("Client_ID", text)
            .unwrap()
            .as_str()
            .strip_prefix("Client_ID = ")?,
    )
}

#[test]
fn a_text_means_itself() {
    for text in [
        "",
        "'",
        "''",
        "%27",
        "--",
        ";",
        "\\",
        "\n",
        "\\\n",
        "\\\r\n",
        "' OR '1'='1",
        "x' OR '1'='1",
        "O'Brien",
        "%",
        "&",
        "+",
        "\u{2018}\u{2019}\u{02bc}\u{ff07}",
        "\0",
        "ä😀",
        "trailing ",
        "\\'",
        "'\\\n'",
        "N'x'",
    ] {
        assert_eq!(equals(text).as_deref(), Some(text));
    }
}

proptest! {
    #[test]
    fn any_text_means_itself(text in any::<String>()) {
        prop_assert_eq!(equals(&text), Some(text));
    }

    #[test]
    fn any_mix_of_what_is_special_means_itself(text in "['\\\\\r\n+%;-]{0,12}") {
        prop_assert_eq!(equals(&text), Some(text));
    }

    #[test]
    fn a_pattern_matches_itself_alone(text in "[a'\\\\%_\\[\\]\n]{0,12}") {
        let filter = Filter::starts_with("A", &text).unwrap();
        let sql = filter.as_str().strip_prefix("A LIKE ").and_then(|sql| sql.strip_suffix(r" ESCAPE '\'")).unwrap();
        let pattern = read_literal(sql).unwrap();
        let mut literal = String::new();
        let mut chars = pattern.strip_suffix('%').unwrap().chars();
        while let Some(c) = chars.next() {
            prop_assert!(!matches!(c, '%' | '_' | '['), "a wildcard is left in {}", pattern);
            literal.push(if c == '\\' { chars.next().unwrap() } else { c });
        }
        prop_assert_eq!(literal, text);
    }

    #[test]
    fn a_number_is_only_digits(text in "[0-9.eExX+ -]{0,6}") {
        if let Ok(number) = Literal::number(&text) {
            prop_assert!(number.to_string().parse::<f64>().is_ok() && !text.contains(['e', 'E', 'x', 'X', '+', ' ']));
        }
    }
}

#[test]
fn numbers_and_guids_are_typed_and_what_is_refused_is_not_repeated() {
    for good in ["0", "-7", "12.50", "2186211"] {
        assert_eq!(Literal::number(good).unwrap().to_string(), good);
    }
    for bad in [
        "1 OR 1=1",
        "1e3",
        "0x10",
        "+7",
        " 1",
        "1 ",
        "",
        "-",
        "--1",
        "NaN",
        "inf",
        "1.",
        ".5",
        "1.2.3",
        "1;",
        "1_000",
        "٣",
        &"9".repeat(40),
    ] {
        let error = Literal::number(bad).unwrap_err();
        assert!(
            bad.len() < 3 || !format!("{error} {error:?}").contains(bad),
            "{bad}"
        );
    }
    let guid = "ab12cd34-ef56-7890-ABCD-ef1234567890";
    assert_eq!(
        Literal::guid(guid).unwrap().to_string(),
        format!("'{guid}'")
    );
    for bad in [
        "",
        "ab12cd34ef567890abcdef1234567890",
        "ab12cd34-ef56-7890-abcd-ef123456789'",
        "{ab12cd34-ef56-7890-abcd-ef1234567890}",
    ] {
        assert!(Literal::guid(bad).is_err(), "{bad}");
    }
}

#[test]
fn filters_are_joined_without_changing_their_meaning() {
    let a = || Filter::eq("A", 1).unwrap();
    let b = || Filter::is_null("B_TABLE.B").unwrap();
    assert_eq!(
        a().or(b()).and(a().negated()).as_str(),
        "((A = 1) OR (B_TABLE.B IS NULL)) AND (NOT (A = 1))"
    );
    assert_eq!(Filter::one_of("A", [1, 2]).unwrap().as_str(), "A IN (1, 2)");
    assert_eq!(
        Filter::one_of("A", ["it's"]).unwrap().as_str(),
        "A IN ('it''s')"
    );
    assert_eq!(
        Filter::one_of("A", Vec::<i64>::new()).unwrap().as_str(),
        "1 = 0"
    );
    assert_eq!(
        Filter::contains("A", "50%").unwrap().as_str(),
        r"A LIKE '%50\%%' ESCAPE '\'"
    );
    assert_eq!(Filter::ne("A", true).unwrap().as_str(), "A <> 1");
    assert_eq!(
        Filter::le("A", u32::MAX).unwrap().as_str(),
        "A <= 4294967295"
    );
    for bad in ["A = 1 OR B", "A;", "", "A--"] {
        assert!(
            Filter::eq(bad, 1).is_err() && Filter::starts_with(bad, "x").is_err(),
            "{bad}"
        );
    }
}
