//! Scripts by chance: none panics, all end, and numbers are calculated as by hand.

use proptest::prelude::*;

use super::host::run;
use crate::route::ast::BinaryOperator;
use crate::route::machine::End;

/// An expression of numbers, as text and as it is calculated by hand.
#[derive(Clone, Debug)]
struct Calculated {
    text: String,
    value: Option<i64>,
}

fn numbers() -> impl Strategy<Value = Calculated> {
    let leaf = (-1000_i64..1000).prop_map(|number| Calculated {
        text: if number < 0 {
            format!("(0 - {})", -number)
        } else {
            number.to_string()
        },
        value: Some(number),
    });
    leaf.prop_recursive(5, 40, 2, |inside| {
        let operators = BinaryOperator::ALL.iter().filter(|(_, operator, _)| {
            use BinaryOperator as B;
            !matches!(
                operator,
                B::Match
                    | B::TextEqual
                    | B::TextDifferent
                    | B::NumberEqual
                    | B::NumberDifferent
                    | B::And
                    | B::Or
            )
        });
        let operators: Vec<_> = operators.copied().collect();
        (inside.clone(), proptest::sample::select(operators), inside).prop_map(
            |(left, (sign, operator, _), right)| Calculated {
                text: format!("({} {sign} {})", left.text, right.text),
                value: by_hand(operator, left.value, right.value),
            },
        )
    })
}

fn by_hand(operator: BinaryOperator, left: Option<i64>, right: Option<i64>) -> Option<i64> {
    use BinaryOperator as B;
    let (left, right) = (left?, right?);
    Some(match operator {
        B::Plus => left.wrapping_add(right),
        B::Minus => left.wrapping_sub(right),
        B::Times => left.wrapping_mul(right),
        B::Divide => left.checked_div(right)?,
        B::Modulo => left.checked_rem(right)?,
        B::BitAnd => left & right,
        B::BitOr => left | right,
        B::BitXor => left ^ right,
        B::ShiftLeft => left << (right & 63),
        B::ShiftRight => left >> (right & 63),
        B::Equal => i64::from(left == right),
        B::Different => i64::from(left != right),
        B::Less => i64::from(left < right),
        B::Greater => i64::from(left > right),
        B::LessOrEqual => i64::from(left <= right),
        B::GreaterOrEqual => i64::from(left >= right),
        _ => return None,
    })
}

/// Any value that a script can name.
fn values() -> impl Strategy<Value = String> {
    let texts = [
        "\"\"",
        "\"abc\"",
        "\"7\"",
        "\"-1\"",
        "\"0x1F\"",
        "\"a,b;c=d\"",
        "\"\u{e9}\"",
    ];
    let variables = [
        "$var(a)",
        "$var(b)",
        "$vn(n)",
        "$avp(x)",
        "$(avp(x)[1])",
        "$(avp(x)[*])",
        "$avp($var(b))",
        "$xavp(x=>f)",
        "$xavp(x[$var(a)]=>f[-1])",
        "$(xavu(u=>f))",
        "$shv(s)",
        "$rU",
        "$hdr(X)",
        "$rc",
        "$null",
        "$sf",
        "$sF",
        "$cnt($avp(x))",
        "$_s(<$var(a)>)",
        "$Tf",
        "$(rU{s.substr,$var(a),-1})",
        "$(var(b){s.select,-2,,})",
        "$(var(b){s.select,$var(a),b})",
        "$(var(b){uri.param,x})",
        "$(var(b){param.value,a})",
        "$(var(b){param.name,$var(a)})",
        "$(var(b){line.at,$var(a)})",
        "$(var(b){s.prefixes})",
        "$(var(b){s.ftime,%Y%q%})",
        "$(var(b){s.decode.hexa})",
        "$(var(b){s.unescape.user}{s.decode.base64})",
        "$(var(b){tobody.user})",
        "$(var(b){val.json})",
        "$(var(b){s.strip,$var(a)}{s.striptail,$var(a)})",
        "$(var(b){re.subst,/(a)?b*/[\\1]/g})",
        "$(var(b){nameaddr.len})",
        "$(var(a){s.ftime,%F %T %j})",
        "$(var(b){s.corehash,$var(a)})",
    ];
    prop_oneof![
        (-5_i64..100).prop_map(|number| format!("({number})")),
        Just("9223372036854775807".to_owned()),
        proptest::sample::select(texts.to_vec()).prop_map(str::to_owned),
        proptest::sample::select(variables.to_vec()).prop_map(str::to_owned),
    ]
}

fn expressions() -> impl Strategy<Value = String> {
    values().prop_recursive(3, 12, 2, |inside| {
        let signs: Vec<_> = BinaryOperator::ALL.iter().map(|(sign, ..)| *sign).collect();
        prop_oneof![
            (
                inside.clone(),
                proptest::sample::select(signs),
                inside.clone()
            )
                .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            (
                proptest::sample::select(vec![
                    "!", "-", "(int)", "(str)", "strlen", "strempty", "defined "
                ]),
                inside
            )
                .prop_map(|(sign, of)| format!("{sign}({of})")),
            Just("route(CALLED)".to_owned()),
            Just("is_method(\"BYE\")".to_owned()),
        ]
    })
}

fn statements() -> impl Strategy<Value = String> {
    let targets = vec![
        "$var(a)",
        "$var(b)",
        "$vn(n)",
        "$avp(x)",
        "$(avp(x)[1])",
        "$(avp(x)[*])",
        "$avp($var(b))",
        "$xavp(x=>f)",
        "$xavp(x[0]=>f[*])",
        "$xavp(x[$var(a)]=>f)",
        "$xavp(x)",
        "$xavu(u=>f)",
        "$xavi(U=>f)",
        "$shv(s)",
        "$sf",
        "$rU",
    ];
    let calls = vec![
        "route(CALLED);",
        "route($var(b));",
        "xlog(\"$var(a) $(avp(x)[*])\\n\");",
        "return;",
        "exit;",
        "drop;",
        "break;",
        "pv_printf(\"$var(b)\", \"$var(b)$avp(x)\");",
        "xavp_rm(\"x\");",
        "xavp_params_explode(\"$var(b)\", \"x\");",
        "xavp_params_implode(\"x\", \"$var(b)\");",
        "xavp_copy(\"x\", \"0\", \"$var(b)\");",
        "pv_xavp_print();",
    ];
    let simple = prop_oneof![
        (proptest::sample::select(targets), expressions())
            .prop_map(|(target, value)| format!("{target} = {value};\n")),
        proptest::sample::select(calls).prop_map(|call| format!("{call}\n")),
        expressions().prop_map(|code| format!("return {code};\n")),
    ];
    simple.prop_recursive(3, 24, 4, |inside| {
        let block = proptest::collection::vec(inside, 1..4).prop_map(|all| all.concat());
        prop_oneof![
            (expressions(), block.clone(), block.clone()).prop_map(|(condition, yes, no)| format!(
                "if ({condition}) {{\n{yes}}} else {{\n{no}}}\n"
            )),
            (expressions(), block.clone())
                .prop_map(|(condition, body)| format!("while ({condition}) {{\n{body}}}\n")),
            (expressions(), block.clone(), block).prop_map(|(subject, one, other)| format!(
                "switch ({subject}) {{\ncase 1:\n{one}case /\"^a\":\nbreak;\ndefault:\n{other}}}\n"
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn numbers_are_calculated_as_by_hand(expression in numbers()) {
        let log = run(&format!(
            "request_route {{ $vn(a) = {}; xlog(\"$vn(a)\"); }}",
            expression.text
        )).log;
        let expected = expression.value.map_or("<null>".to_owned(), |value| value.to_string());
        prop_assert_eq!(log, expected);
    }

    #[test]
    fn every_script_ends_without_panic(
        main in proptest::collection::vec(statements(), 1..6),
        called in proptest::collection::vec(statements(), 1..4),
    ) {
        let config = format!(
            "request_route {{\n{}}}\nroute[CALLED] {{\n{}}}\n",
            main.concat(),
            called.concat()
        );
        let Some(mut ran) = super::host::try_run(&config) else {
            // Types that do not fit are found at load.
            return Ok(());
        };
        if ran.ended.by == End::Stopped {
            let faults = ran.machine.faults();
            prop_assert!(faults.steps + faults.text > 0);
        }
        let mut saved = Vec::new();
        ran.machine.save(&mut saved);
        for end in [0, saved.len() / 2, saved.len()] {
            ran.machine.begin();
            ran.machine.load(&saved[..end]);
        }
        let mut again = Vec::new();
        ran.machine.save(&mut again);
        prop_assert_eq!(saved, again, "what is saved comes back");
    }
}
