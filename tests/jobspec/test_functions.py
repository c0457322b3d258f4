"""Functions: one table of results, one of failures, and the list of what there is."""

from __future__ import annotations

import base64
from collections.abc import Callable

import bcrypt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from herdsman.jobspec.functions import FUNCTIONS

from .conftest import Evaluate

KNOWN = """
abs abspath base64decode base64encode basename bcrypt can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet
cidrsubnets coalesce coalescelist compact concat contains convert csvdecode dirname distinct element file
filebase64 fileexists fileset flatten floor format formatdate formatlist indent index join jsondecode
jsonencode keys length log lookup lower max md5 merge min parseint pathexpand pow range regex_replace replace
reverse rsadecrypt setintersection setproduct setunion sha1 sha256 sha512 signum slice sort split strlen
strrev substr timeadd title trim trimprefix trimspace trimsuffix try upper urlencode uuidv4 uuidv5 values
yamldecode yamlencode zipmap
"""


def test_the_functions_are_those_of_nomad() -> None:
    """Nomad's parser knows these functions, no more and no fewer."""
    assert list(FUNCTIONS) == KNOWN.split()


RESULTS = [
    # numbers
    ("abs(-1.5)", 1.5),
    ("ceil(1.2)", 2),
    ("floor(-1.2)", -2),
    ("signum(-3)", -1),
    ("signum(0)", 0),
    ("max(1, 2.5, -1)", 2.5),
    ('min("7", 3)', 3),
    ("log(16, 2)", 4),
    ("pow(2, 10)", 1024),
    ("pow(2, 0.5)", 1.4142135623730951),
    ('"x${pow(2, 0.5)}"', "x1.4142135623730951"),
    ('parseint("ff", 16)', 255),
    ('parseint("-FF", 16)', -255),
    ('parseint("zZ", 62)', 2231),
    # strings
    ('upper("aßé")', "AßÉ"),
    ('lower("LOUD É")', "loud é"),
    ('title("hello world\'s end")', "Hello World'S End"),
    (r'chomp("a\r\n\n")', "a"),
    (r'indent(2, "a\nb\n")', "a\n  b\n  "),
    ('join("-", ["a"], ["b", 1])', "a-b-1"),
    ('split(",", "a,,b")', ["a", "", "b"]),
    ('split("", "ab")', ["a", "b"]),
    ('replace("hello", "l", "L")', "heLLo"),
    ('replace("ab", "", "-")', "-a-b-"),
    ('regex_replace("hello world", "(o)( w)?", "<$1>")', "hell<o><o>rld"),
    ('regex_replace("a1b22", "[0-9]+", "#")', "a#b#"),
    ('regex_replace("John Smith", "(?P<f>\\\\w+) (?P<l>\\\\w+)", "$${l}, $f")', "Smith, John"),
    ('reverse("abc")', "cba"),
    ('strrev("e\u0301a")', "a\u00e9"),
    ('strlen("e\u0301👨\u200d👩\u200d👧🇪🇸")', 3),
    ('substr("hello", 1, 3)', "ell"),
    ('substr("hello", -3, 2)', "ll"),
    ('substr("hello", 2, -1)', "llo"),
    ('substr("hello", 9, 1)', ""),
    ('sort(["b", "a", "C"])', ["C", "a", "b"]),
    ('trim("  ab ", " ")', "ab"),
    ('trimprefix("ab", "a")', "b"),
    ('trimsuffix("ab", "b")', "a"),
    (r'trimspace(" \t a\n")', "a"),
    # format
    ('format("%s-%03d", "n", 3)', "n-003"),
    (
        'format("%5.2f|%-6d|%06d|%x|%X|%o|%b|%+d|% d", 3.14159, 42, -42, 255, 255, 8, 5, 3, 4)',
        " 3.14|42    |-00042|ff|FF|10|101|+3| 4",
    ),
    ('format("%e %E %g %G", 12345.678, 0.00012, 10000000000, 0.0000001)', "1.234568e+04 1.200000E-04 1e+10 1E-07"),
    ('format("%v %v %v", 1000000, 123456, 0.5)', "1e+06 123456 0.5"),
    ('format("%.3g %g", 1234.5, 100)', "1.23e+03 100"),
    ('format("%q %t %#v %v", "a\\"<", "true", { a = [1, null] }, null)', '"a\\"\\u003c" true {"a":[1,null]} null'),
    ('format("%[2]s %[1]s %s", "a", "b")', "b a b"),
    ('format("%5s|%-5s|%.2s", "ab", "ab", "abc")', "   ab|ab   |ab"),
    ('format("%d%%", 50)', "50%"),
    ('format("%s", 1 / 8)', "0.125"),
    ('format("%.10f", 1 / 3)', "0.3333333333"),
    ('formatlist("%s-%d", ["a", "b"], 3)', ["a-3", "b-3"]),
    ('formatlist("x")', ["x"]),
    ('formatlist("%s", [])', []),
    # collections
    ("chunklist([1, 2, 3], 2)", [[1, 2], [3]]),
    ("chunklist([1, 2], 0)", [[1, 2]]),
    ('coalesce("", "z")', ""),
    ('coalesce(null, "z")', "z"),
    ("coalescelist([], [1])", [1]),
    ('compact(["a", "", null])', ["a"]),
    ('concat([1], ["a"])', [1, "a"]),
    ('contains(["a", "b"], "a")', True),
    ('contains([1], "1")', False),
    ("distinct([1, 2, 1])", [1, 2]),
    ('element(["a", "b"], 3)', "b"),
    ("flatten([[1], [2, [3, []]], 4])", [1, 2, 3, 4]),
    ('index(["a", "b"], 1)', "b"),
    ('index({ a = 1, c = 2 }, "c")', 2),
    ("keys({ b = 1, a = 2 })", ["a", "b"]),
    ("values({ b = 1, a = 2 })", [2, 1]),
    ("length([1, 2])", 2),
    ("length({ a = 1 })", 1),
    ('lookup({ a = 1 }, "b", 3)', 3),
    ('lookup({ a = 1 }, "a", 3)', 1),
    ("merge({ a = 1 }, { a = 2, b = 3 }, null)", {"a": 2, "b": 3}),
    ("merge()", {}),
    ("range(3)", [0, 1, 2]),
    ("range(1, 2, 0.25)", [1, 1.25, 1.5, 1.75]),
    ("range(3, 0)", [3, 2, 1]),
    ("range(-2)", [0, -1]),
    ('setintersection(["b", "a"], ["c", "a"])', ["a"]),
    ("setunion([2, 1], [3, 1])", [1, 2, 3]),
    ('setproduct(["a", "b"], [1, 2])', [["a", 1], ["a", 2], ["b", 1], ["b", 2]]),
    ("setproduct([1], [])", []),
    ("slice([1, 2, 3], 1, 2)", [2]),
    ('zipmap(["a", "b"], [1, 2])', {"a": 1, "b": 2}),
    # encodings
    ('base64encode("hé")', "aMOp"),
    ('base64decode("aMOp")', "hé"),
    ('urlencode("a b/c?~&é")', "a+b%2Fc%3F~%26%C3%A9"),
    ('jsonencode({ b = 1, a = "<x>", c = [1.5, null, true] })', '{"a":"\\u003cx\\u003e","b":1,"c":[1.5,null,true]}'),
    ('jsonencode("\\u2028\\t\\u0001")', '"\\u2028\\t\\u0001"'),
    (r'jsondecode("{\"a\": [1, 2.50, null, \"é\"]}")', {"a": [1, 2.5, None, "é"]}),
    (r'csvdecode("a,b\n1,\"x,y\"\n")', [{"a": "1", "b": "x,y"}]),
    (
        'yamlencode({ foo = [1, { a = "b", c = "d" }], bar = "baz", n = null, e = [], m = {} })',
        '"bar": "baz"\n"e": []\n"foo":\n- 1\n- "a": "b"\n  "c": "d"\n"m": {}\n"n": null\n',
    ),
    (r'yamlencode({ a = "x\ny\n" })', '"a": |\n  x\n  y\n'),
    ("yamlencode(5)", "5\n"),
    (
        r'yamldecode("a: 1\nb: [x, 2.5, true, ~, 0x1f, 0o17, .5, 1.]\nc: {d: \"1\"}\n")',
        {"a": 1, "b": ["x", 2.5, True, None, 31, 15, 0.5, 1], "c": {"d": "1"}},
    ),
    (r'yamldecode("a: &x {b: 1}\nc: {<<: *x, d: 2}\n")', {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ('yamldecode("")', None),
    # hashes
    ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
    ('sha1("a")', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ('sha256("a")', "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ('substr(sha512("a"), 0, 16)', "1f40fc92da241694"),
    ('uuidv5("dns", "example.com")', "cfbff0d1-9375-5685-968c-48ce8b15ae17"),
    ('uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.com")', "cfbff0d1-9375-5685-968c-48ce8b15ae17"),
    # times
    ('formatdate("YYYY-MM-DD\'T\'hh:mm:ssZ", "2020-01-02T03:04:05Z")', "2020-01-02T03:04:05Z"),
    ('formatdate("EEE, D MMM YY H AA ZZZZ", "2020-01-02T15:04:05+02:00")', "Thu, 2 Jan 20 3 PM +0200"),
    (
        "formatdate(\"EEEE MMMM M HH aa m s ZZZ ZZZZZ 'o''clock'\", \"2020-01-02T00:04:05Z\")",
        "Thursday January 1 12 am 4 5 UTC +00:00 o'clock",
    ),
    ('timeadd("2020-01-01T00:00:00+02:00", "-1h30m")', "2019-12-31T22:30:00+02:00"),
    # networks
    ('cidrhost("10.12.127.0/20", 16)', "10.12.112.16"),
    ('cidrhost("10.0.0.0/24", -1)', "10.0.0.255"),
    ('cidrhost("fd00::/8", 1)', "fd00::1"),
    ('cidrnetmask("172.16.0.0/12")', "255.240.0.0"),
    ('cidrsubnet("172.16.0.0/12", 4, 2)', "172.18.0.0/16"),
    ('cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)', "fd00:fd12:3456:7800:a200::/72"),
    ('cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)', ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"]),
    # conversions
    ('try({ a = 1 }.b, nope(), "d")', "d"),
    ("try(1, nope())", 1),
    ("can({ a = 1 }.b)", False),
    ("can({ a = 1 }.a)", True),
    ('convert("5", number)', 5),
    ("convert([1, 2, 1], set(string))", ["1", "2"]),
    ("convert({ a = 1, b = 2 }, object({ a = string }))", {"a": "1"}),
    ('convert([1, "a"], tuple([string, any]))', ["1", "a"]),
    ("convert({ a = 1, b = true }, map(string))", {"a": "1", "b": "true"}),
    ('convert([1, "a"], list(any))', ["1", "a"]),
]


@pytest.mark.parametrize(("call", "result"), RESULTS)
def test_result(evaluate: Evaluate, call: str, result: object) -> None:
    """A function gives what Nomad's documentation, or that of the library behind it, says."""
    assert evaluate(call) == result


REFUSED_CALLS = [
    ("nope(1)", 'Call to unknown function; There is no function named "nope".'),
    ('uppr("x")', 'Call to unknown function; There is no function named "uppr". Did you mean "upper"?'),
    ("tostring(1)", 'Call to unknown function; There is no function named "tostring".'),
    ("timestamp()", 'Call to unknown function; There is no function named "timestamp".'),
    ("a::b(1)", 'Call to unknown function; There is no function named "a::b".'),
    ("lower()", 'Not enough function arguments; Function "lower" expects 1 argument(s). Missing value for "str".'),
    (
        "format()",
        'Not enough function arguments; Function "format" expects at least 1 argument(s). Missing value for "format".',
    ),
    ('lower("a", "b")', 'Too many function arguments; Function "lower" expects only 1 argument(s).'),
]


@pytest.mark.parametrize(("call", "text"), REFUSED_CALLS)
def test_refused_call(complaint: Callable[[str], str], call: str, text: str) -> None:
    """A call of no function, or with the wrong number of arguments, is refused."""
    assert complaint(call) == text


REFUSED_ARGUMENTS = [
    ("lower([])", "str", "string required"),
    ("lower(null)", "str", "argument must not be null"),
    ('abs("x")', "num", "a number is required"),
    ('parseint("zz", 10)', "number", 'cannot parse "zz" as a base 10 integer'),
    ('join("-", ["a", null])', "lists", "element 1 is null; cannot concatenate null values"),
    ("keys([])", "inputMap", "must have map or object type"),
    ("concat([], {})", "seqs", "all arguments must be lists or tuples; got object"),
    (
        'lookup(convert({}, map(number)), "a", [])',
        "default",
        "the default value must have the same type as the map elements",
    ),
    (
        "slice(convert([], set(any)), 0, 0)",
        "list",
        "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering "
        "of the result is not important",
    ),
    ("slice({}, 0, 0)", "list", "must be a list or tuple value"),
    ("slice([1], -1, 0)", "start_index", "start index must not be less than zero"),
    ("slice([1], 1, 0)", "start_index", "start index must not be greater than end index"),
    ("parseint(1, 10)", "number", "first argument must be a string, not number"),
    ('parseint("1", 63)', "base", "base must be a whole number between 2 and 62 inclusive"),
    ('join("-", ["a"], [null])', "lists", "element 0 of list 2 is null; cannot concatenate null values"),
    ("setunion([1], 2)", "other_sets", "set of any single type required"),
    ("setproduct([1], 2)", "sets", "a set or a list is required"),
    ("setproduct([1], [[], {}])", "sets", "all elements must be of the same type"),
    ('rsadecrypt("!", "")', "ciphertext", 'failed to decode input "!": cipher text must be base64-encoded'),
    ('rsadecrypt("aGk=", "no key")', "privatekey", "failed to read key: no key found"),
    ('cidrsubnets("10.0.0.0/8", 0)', "newbits", "must extend prefix by at least one bit"),
    ('cidrsubnets("::/0", 33)', "newbits", "may not extend prefix by more than 32 bits"),
    (
        'cidrsubnets("10.0.0.0/8", 25)',
        "newbits",
        "would extend prefix to 33 bits, which is too long for an IPv4 address",
    ),
    ('formatdate("\'YY", "2020-01-02T03:04:05Z")', "format", "unterminated literal '"),
    ('formatdate("b", "2020-01-02T03:04:05Z")', "format", 'invalid date format verb "b"'),
    ('lookup([], "a", 1)', "inputMap", "lookup() requires a map as the first argument"),
    ("slice([1], 0, 5)", "end_index", "end index must not be greater than the length of the list"),
    ('format("x", 1)', "args", "too many arguments; no verbs in format string"),
    (
        'formatlist("%s%s", ["a"], ["b", "c"])',
        "args",
        "argument 2 has length 2, which is inconsistent with argument 1 of length 1",
    ),
    (
        'formatdate("YYY", "2020-01-02T03:04:05Z")',
        "format",
        'invalid date format verb "YYY": year must either be "YY" or "YYYY"',
    ),
    ('formatdate("YY", "yesterday")', "time", "not a valid RFC3339 timestamp: missing or malformed part"),
    (
        'cidrsubnets("10.0.0.0/30", 1, 1, 1)',
        "newbits",
        "not enough remaining address space for a subnet with a prefix of 31 bits after 10.0.0.2/31",
    ),
    ("convert([1], list)", "type", "The list type constructor requires one argument specifying the element type"),
]


@pytest.mark.parametrize(("call", "parameter", "reason"), REFUSED_ARGUMENTS)
def test_refused_argument(complaint: Callable[[str], str], call: str, parameter: str, reason: str) -> None:
    """An argument that a function cannot take is refused with its parameter's name."""
    assert complaint(call) == f'Invalid function argument; Invalid value for "{parameter}" parameter: {reason}.'


FAILURES = [
    ('file("x")', "filesystem function disabled"),
    ("chunklist([1], -1)", "the size argument must be positive"),
    ("chunklist([1], 1.5)", f"value must be a whole number, between {-(1 << 63)} and {(1 << 63) - 1} inclusive"),
    ("coalesce()", "at least one argument is required"),
    ("coalesce([], {})", "all arguments must have the same type"),
    ("coalescelist()", "at least one argument is required"),
    ("coalescelist({})", "coalescelist arguments must be lists or tuples"),
    ("coalescelist([])", "no non-null arguments"),
    ("concat()", "at least one argument is required"),
    ('contains("abc", "a")', "argument must be list, tuple, or set"),
    ('element("abc", 0)', "cannot read elements from string"),
    ('flatten("abc")', "can only flatten lists, sets and tuples"),
    ("index({ a = 1 }, 1)", "key for map must be string"),
    ('index("a", 1)', "collection must be a list, a map or a tuple"),
    ("values([])", "values() requires a map as the first argument"),
    ('zipmap(["a"], "b")', "values argument must be a list or tuple value"),
    ('zipmap([null], ["b"])', "keys list has null value at index 0"),
    ("range()", "must have one, two, or three arguments"),
    ("range(0, 1, 0)", "step must not be zero"),
    ("range(1, 0, 1)", "when end is less than start, step must be less than zero"),
    ("log(0, 2)", "the result is not a finite number"),
    ("log(2, 1)", "the result is not a finite number"),
    ("pow(-8, 0.5)", "the result is not a finite number"),
    ('bcrypt("a", 4, 4)', "bcrypt() takes no more than two arguments"),
    ('bcrypt("a", 3)', "error occured generating password crypto/bcrypt: cost 3 is outside allowed range (4,31)"),
    ('indent(-1, "a")', "cannot indent by a negative number of spaces"),
    ('sort(["a", null])', "given list element 1 is null; a null string cannot be sorted"),
    ('setunion(["a"], [[]])', "given sets must all have compatible element types"),
    ("setproduct([1])", "at least two arguments are required"),
    ("try()", "at least one argument is required"),
    ('timeadd("2020", "1h")', 'parsing time "2020": not a valid RFC3339 timestamp: missing or malformed part'),
    ('timeadd("9999-12-31T23:59:59Z", "1h")', "the resulting time is out of range"),
    ('cidrsubnet("10.0.0.0/8", 2, 4)', "prefix extension of 2 does not accommodate a subnet numbered 4"),
    ('format("%")', "extraneous characters beginning at offset 1"),
    ('format("%5!", 1)', "unrecognized format character '!' at offset 2"),
    ('format("%k", 1)', "unsupported format verb 'k' in \"%k\" at offset 0"),
    ('format("%d", "x")', 'unsupported value for "%d" at 0: a number is required'),
    ('formatlist("%d", ["x"])', 'error on format iteration 0: unsupported value for "%d" at 0: a number is required'),
    ('base64decode("/w==")', "the result of decoding the provided string is not valid UTF-8"),
    ('csvdecode("")', "missing header line"),
    (r'csvdecode("a,a\n")', 'duplicate column name "a"'),
    (r'csvdecode("a\n1,2\n")', "record on line 2: wrong number of fields"),
    ('jsondecode("NaN")', "NaN is not JSON"),
    ('jsondecode("1e99999")', "the number 1e99999 is out of range"),
    ('yamldecode("*a")', 'reference to undefined anchor "a"'),
    (r'yamldecode("a\n---\nb")', "on line 1, column 1: only a single document is allowed"),
    ('yamldecode("<<: 1")', "cannot merge a value that is not a mapping"),
    ('yamldecode("[1]: 1")', "mapping keys must be strings"),
    ('fileset("a", "*")', "filesystem function disabled"),
    ('length("abc")', "collection must be a list, a map or a tuple"),
    ("max()", "must pass at least one number"),
    ('join("-")', "at least one list is required"),
    ("element([], 0)", "cannot use element function with an empty list"),
    ("element([1], -1)", "cannot use element function with a negative index"),
    ("merge([])", 'arguments must be maps or objects, got "tuple"'),
    ('zipmap(["a"], [])', "number of keys (1) does not match number of values (0)"),
    ("index([1], 5)", "invalid index"),
    ('index([1], "a")', "key for tuple must be number"),
    ("range(0, 5, -1)", "when end is greater than start, step must be greater than zero"),
    ("coalesce(null, null)", "no non-null arguments"),
    ('format("%d")', 'not enough arguments for "%d" at 0: need index 1 but have 0 total'),
    ('format("%d", 1.5)', 'unsupported value for "%d" at 0: an integer is required'),
    ('format("%s", null)', 'unsupported value for "%s" at 0: null value cannot be formatted'),
    ('timeadd("2020-01-01T00:00:00Z", "1d")', 'time: unknown unit "d" in duration "1d"'),
    ('cidrhost("10.0.0.0/24", 256)', "prefix of 24 does not accommodate a host numbered 256"),
    ('cidrhost("10.0.0.0", 1)', "invalid CIDR expression: invalid CIDR address: 10.0.0.0"),
    ('cidrsubnet("10.0.0.0/30", 4, 0)', "insufficient address space to extend prefix of 30 by 4"),
    ('base64decode("!")', 'failed to decode base64 data "!"'),
    ('uuidv5("x", "y")', "uuidv5() doesn't support namespace x"),
    ('regex_replace("a", "(", "")', "error parsing regexp: missing closing ): `(`"),
    ('convert("x", number)', "a number is required"),
]


@pytest.mark.parametrize(("call", "reason"), FAILURES)
def test_failure(complaint: Callable[[str], str], call: str, reason: str) -> None:
    """A call that cannot work is refused with Nomad's reason."""
    function = call.partition("(")[0]
    assert complaint(call) == f'Error in function call; Call to function "{function}" failed: {reason}.'


BAD_DATA = [
    'jsondecode("{")',
    'yamldecode("[")',
    'yamldecode("*a")',
    r'yamldecode("a\n---\nb")',
    'csvdecode("")',
    r'csvdecode("a,a\n")',
    r'csvdecode("a\n1,2\n")',
    'rsadecrypt("aGk=", "no key")',
    'base64decode("/w==")',
]


@pytest.mark.parametrize("call", BAD_DATA)
def test_bad_data(complaint: Callable[[str], str], call: str) -> None:
    """Data that cannot be read fails the call, with a reason."""
    assert complaint(call).startswith(("Error in function call; Call to function ", "Invalid function argument; "))


def test_try_tells_all_that_failed(complaint: Callable[[str], str]) -> None:
    """If nothing of a `try` succeeds, every failure is told with its place."""
    text = complaint("try({ a = 1 }.b, nope())")
    assert "- Unsupported attribute (at input.hcl:5,26-28)" in text
    assert "- Call to unknown function (at input.hcl:5,30-34)" in text


def test_bcrypt(evaluate: Evaluate) -> None:
    """A bcrypt hash fits its password and has the cost that was asked for."""
    hashed = str(evaluate('bcrypt("secret", 4)'))
    assert hashed.startswith("$2b$04$")
    assert bcrypt.checkpw(b"secret", hashed.encode())


def test_rsadecrypt(evaluate: Evaluate) -> None:
    """What was encrypted for a key is decrypted with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    secret = base64.b64encode(key.public_key().encrypt(b"hi there", padding.PKCS1v15())).decode()
    declared = 'variable "key" {}\nvariable "secret" {}\n'
    assert (
        evaluate("rsadecrypt(var.secret, var.key)", before=declared, variables={"key": pem, "secret": secret})
        == "hi there"
    )


def test_uuidv4_differs_each_time(evaluate: Evaluate) -> None:
    """Two calls of uuidv4 give two UUIDs."""
    assert evaluate("uuidv4() == uuidv4()") is False


def test_one_third_has_all_its_digits(evaluate: Evaluate) -> None:
    """A number that is not whole keeps 512 bits, which are 155 digits."""
    text = str(evaluate('format("%s", 1 / 3)'))
    assert text == "0." + "3" * 154 + "5"
