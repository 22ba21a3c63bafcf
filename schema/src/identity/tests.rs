//! Tests of identities: one spelling for each, and what earlier programs stored.

use super::*;

#[test]
fn each_identity_has_one_spelling() {
    let long = format!("external:{}", "é".repeat(limits::CONTACT_CHARS_MAX));
    for (written, found) in [
        ("external:Ana María", Some("external:Ana María")),
        (long.as_str(), Some(long.as_str())),
        (&format!("{long}é"), None),
        ("external:", None),
        ("external:a\nb", None),
        ("external:a:b", Some("external:a:b")),
        ("external:ct_018f00000000700080000000000000c1", None),
        ("external:anon_018f00000000700080000000000000c1", None),
        ("phone:+34 (600) 12-34.56", Some("phone:+34600123456")),
        ("phone:+34600123456", Some("phone:+34600123456")),
        ("phone:0034600123456", None),
        ("phone:+0600123456", None),
        ("phone:+123456", None),
        ("phone:+1234567890123456", None),
        ("phone:+34six", None),
        ("email: Ana@Example.COM ", Some("email:ana@example.com")),
        ("email:ana", None),
        ("email:@example.com", None),
        ("email:ana@", None),
        ("email:a b@example.com", None),
        ("email:ana@bo@example.com", None),
        ("email:ana@example..com", None),
        ("external: Jose\u{301} ", Some("external:José")),
        ("external:Ana\u{200b}", None),
        ("external:\u{3164}", None),
        ("external: ct_018f00000000700080000000000000c1", None),
        ("phone:tel:+34-600-123-456", Some("phone:+34600123456")),
        ("phone:TEL:+34600123456", Some("phone:+34600123456")),
        ("phone:+34 (0) 600 123 456", Some("phone:+34600123456")),
        ("phone:+44 (0)20 7946 0958", Some("phone:+442079460958")),
        ("phone:+39 06 1234 5678", Some("phone:+390612345678")),
        ("phone:\u{202a}+34\u{a0}600\u{2011}123\u{200b}456\u{202c}", Some("phone:+34600123456")),
        ("phone:\u{ff0b}\u{ff13}\u{ff14}600123456", Some("phone:+34600123456")),
        ("phone:+34600123456;ext=7", None),
        ("email:mailto:ana@example.com", Some("email:ana@example.com")),
        ("email:MailTo:Ana@example.com", Some("email:ana@example.com")),
        ("email:ana@example.com\u{200b}", Some("email:ana@example.com")),
        ("email:a\u{200b}na@example.com", None),
        ("email:jose\u{301}@example.com", Some("email:josé@example.com")),
        ("email:ana@bu\u{308}cher.example", Some("email:ana@xn--bcher-kva.example")),
        ("email:ana@XN--bcher-kva.example", Some("email:ana@xn--bcher-kva.example")),
        ("email:ana+shop@example.com", Some("email:ana+shop@example.com")),
        ("email:mailto:ana%2Bshop@x.example", Some("email:ana+shop@x.example")),
        ("email:mailto:ana%2bshop%40x.example", Some("email:ana+shop@x.example")),
        ("email:mailto:%4Aos%C3%A9@x.example", Some("email:josé@x.example")),
        ("email:MAILTO:ana@x.example?subject=100%&to=bo@x.example", Some("email:ana@x.example")),
        ("email:mailto:50%25@x.example", Some("email:50%@x.example")),
        ("email:mailto:ana%252Bshop@x.example", Some("email:ana%2bshop@x.example")),
        ("email:ana%2Bshop@x.example", Some("email:ana%2bshop@x.example")),
        ("email:mailto:ana%2@x.example", None),
        ("email:mailto:ana%zz@x.example", None),
        ("email:mailto:ana@x.example%", None),
        ("email:mailto:ana%FF@x.example", None),
        ("email:mailto:ana%E2%80%8B@x.example", None),
        ("email:mailto:ana%0A@x.example", None),
        ("email:mailto:ana%20shop@x.example", None),
        ("email:mailto:ana@x.example,bo@x.example", None),
        ("email:mailto:?to=ana@x.example", None),
        ("email:ana@192.0.2.1", None),
        ("email:ana@%61.example", None),
        ("email:ana@example.com?subject=hello", None),
        ("whatsapp:\u{202a}+34 (0)600 123 456", Some("whatsapp:34600123456")),
        ("whatsapp:+34 600 123 456", Some("whatsapp:34600123456")),
        ("whatsapp:34600123456", Some("whatsapp:34600123456")),
        ("messenger:1234567890", Some("messenger:1234567890")),
        ("instagram:17841400000000000", Some("instagram:17841400000000000")),
        ("telegram:-100123", Some("telegram:-100123")),
        ("telegram:a b", None),
        ("fax:1", None),
        ("ana", None),
    ] {
        let read = written.parse::<Identity>().ok();
        assert_eq!(read.as_ref().map(Identity::key).as_deref(), found, "{written}");
        if let Some(identity) = read {
            let json = serde_json::to_string(&identity).unwrap();
            assert_eq!(serde_json::from_str::<Identity>(&json).unwrap(), identity, "{json}");
            assert_eq!(identity.key().parse(), Ok(identity.clone()));
            assert!(!format!("{identity:?}").contains(identity.value()));
        }
    }
}

#[test]
fn a_zero_is_taken_out_of_a_number_only_where_it_is_surely_dialled_within_the_country() {
    for (written, found) in [
        ("phone:+39 (06) 1234567", Some("phone:+39061234567")),
        ("phone:+39 (0)6 1234567", None),
        ("phone:+39 (0)347 1234567", None),
        ("phone:+39 ( 0 ) 6 1234567", None),
        ("phone:+39 347 1234567", Some("phone:+393471234567")),
        ("phone:+378 (0)549 882555", None),
        ("phone:+378 0549 882555", Some("phone:+3780549882555")),
        ("phone:+225 07 07 12 34 56", Some("phone:+2250707123456")),
        ("phone:+225 (0)7 07 12 34 56", None),
        ("phone:+242 (0)6 612 3456", None),
        ("phone:+242 06 612 3456", Some("phone:+242066123456")),
        ("phone:+229 01 97 12 34 56", Some("phone:+2290197123456")),
        ("phone:+44 (020) 7946 0000", Some("phone:+442079460000")),
        ("phone:+44 020 7946 0000", Some("phone:+442079460000")),
        ("phone:+440207946000", Some("phone:+44207946000")),
        ("phone:(+44) (0)20 7946 0000", Some("phone:+442079460000")),
        ("phone:+44 (0-20) 7946 0000", Some("phone:+442079460000")),
        ("phone:+44 (0)(20) 7946 0000", Some("phone:+442079460000")),
        ("phone:+44 (0)020 7946 0000", None),
        ("phone:+44 (0)(0)20 7946 0000", None),
        ("phone:+44 20 (0) 7946 0000", None),
        ("phone:+44 00 20 7946 0000", None),
        ("phone:+49(030)123456", Some("phone:+4930123456")),
        ("phone:+49 (0) 30 123456", Some("phone:+4930123456")),
        ("phone:+81 03 1234 5678", Some("phone:+81312345678")),
        ("phone:+353 (0)1 234 5678", Some("phone:+35312345678")),
        ("phone:+81 00777 123456", None),
        ("phone:+34 0600 123 456", None),
        ("phone:+34 (0600) 123 456", None),
        ("phone:+36 (06) 1 234 5678", None),
        ("phone:+36 (1) 234 5678", Some("phone:+3612345678")),
        ("phone:+7 (8) 495 123 45 67", None),
        ("phone:+7 (800) 123 45 67", Some("phone:+78001234567")),
        ("phone:+1 (1) 212 555 0100", None),
        ("phone:+1 (0)212 555 0100", Some("phone:+12125550100")),
        ("phone:+44 (0)", None),
        ("phone:+4(4)(0)20 7946 0000", Some("phone:+442079460000")),
        ("whatsapp:+39 (0)6 1234567", None),
        ("whatsapp:+44 020 7946 0000", Some("whatsapp:442079460000")),
    ] {
        let read = written.parse::<Identity>();
        assert_eq!(read.as_ref().ok().map(Identity::key).as_deref(), found, "{written}");
        if let Ok(identity) = read {
            assert_eq!(identity.checked(), Ok(identity), "{written}");
        } else if written != "phone:+44 (0)" {
            assert_eq!(read, Err(IdentityError::PhoneWithin), "{written}");
        }
    }
}

#[test]
fn two_numbers_are_never_made_one() {
    for written in [
        "phone:+212 522940770/74",
        "phone:+212 522940770 / 74",
        "phone:+212 522940770\u{ff0f}74",
        "phone:+49 (0) 30 / 123456",
        "phone:+49 30/12345/12346",
        "phone:+34600123/",
        "phone:tel:+34600123/456",
        "phone:+3460012\n3456789",
        "phone:+3460012\r\n3456789",
        "phone:+3460012\t3456789",
        "phone:+3460012\u{2028}3456789",
        "whatsapp:+34600123/456",
    ] {
        assert_eq!(written.parse::<Identity>(), Err(IdentityError::PhoneTwo), "{written:?}");
    }
    for written in
        ["phone:+34600123;456789", "phone:+34600123,456789", "phone:+34600123|456", "phone:+34600123 +34600124"]
    {
        assert_eq!(written.parse::<Identity>(), Err(IdentityError::Phone), "{written:?}");
    }
    // What comes along when it is copied is around the number, not in it.
    let copied = " \t+34 600 123 456\r\n".to_owned();
    assert_eq!(Identity::new(IdentityKind::Phone, &copied).unwrap().value(), "+34600123456");
    // Earlier programs took such a number, and it is found by that.
    assert_eq!(Identity::read_as_before("phone:+49 30 / 123456").unwrap().key(), "phone:+4930123456");
}

#[test]
fn kinds_are_named_alike_everywhere() {
    for kind in IdentityKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        assert!(IdentityKind::NAMES.contains(kind.name()));
    }
}

#[test]
fn a_refusal_says_what_to_change() {
    for (written, says) in [
        ("phone: 34600123456", "%2B"),
        ("phone:34600123456", "E.164"),
        ("phone:+39 (0)6 1234567", "from abroad, such as +39061234567"),
        ("phone:+212 522940770/74", "write one number"),
        ("email:ana shop@example.com", "%2B"),
        ("email:a\u{200b}b@example.com", "U+200B"),
        ("email:mailto:ana%2@x.example", "%25"),
        ("external:Ana\u{202e}", "U+202E"),
        ("external:[object Object]", "a template that was not filled in"),
        ("external: \u{2003}", "nothing that can be seen"),
    ] {
        let error = written.parse::<Identity>().unwrap_err().to_string();
        assert!(error.contains(says), "{written}: {error}");
    }
}

#[test]
fn what_earlier_programs_stored_is_read_as_it_is() {
    for (kind, value, now) in [
        (IdentityKind::External, "Ana\u{200b}", None),
        (IdentityKind::External, "Jose\u{301}", Some("José")),
        (IdentityKind::External, " Ana ", Some("Ana")),
        (IdentityKind::External, "undefined", None),
        (IdentityKind::Email, "mailto:ana@example.com", Some("ana@example.com")),
        (IdentityKind::Email, "ana@b\u{fc}cher.example", Some("ana@xn--bcher-kva.example")),
        (IdentityKind::Email, "a\u{200b}b@example.com", None),
        (IdentityKind::Email, "mailto:ana%2bshop@x.example", Some("ana+shop@x.example")),
        (IdentityKind::Email, "ana%2bshop@x.example", Some("ana%2bshop@x.example")),
        (IdentityKind::Phone, "+34600123456", Some("+34600123456")),
        (IdentityKind::Phone, "+4402079460000", Some("+442079460000")),
        (IdentityKind::Phone, "+340600123456", None),
    ] {
        let json = serde_json::json!({"kind": kind, "value": value});
        let stored: Identity = serde_json::from_value(json).unwrap();
        assert_eq!(stored.value(), value);
        assert_eq!(Identity::read_as_before(&stored.key()), Some(stored.clone()));
        assert_eq!(stored.checked().ok().as_ref().map(Identity::value), now, "{value:?}");
    }
    // What they took in another spelling is found by the one that they gave it.
    for (written, stored) in [
        ("phone:+39 (0)6 1234567", "phone:+3961234567"),
        ("phone:+44 (020) 7946 0000", "phone:+4402079460000"),
        ("whatsapp:+39 (0)6 1234567", "whatsapp:3961234567"),
    ] {
        assert_eq!(Identity::read_as_before(written).unwrap().key(), stored);
    }
    // What they would have refused or spelt in another way is spelt as now.
    let written = serde_json::json!({"kind": "phone", "value": "+34 (0) 600 123 456"});
    assert_eq!(serde_json::from_value::<Identity>(written).unwrap().value(), "+34600123456");
}
