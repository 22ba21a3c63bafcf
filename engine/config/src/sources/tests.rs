//! Where settings come from, and how wrong settings are reported.

use super::super::{DEFAULT, ProxyHeader, StoreUrl, annotated};
use super::*;

fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    sources(file, environment)?.config().map_err(|error| error.to_string())
}

fn sources(file: &str, environment: &[(&str, &str)]) -> Result<Sources, String> {
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let mut sources = Sources::read(None, environment).map_err(|error| error.to_string())?;
    sources.file = Some(("t.toml".into(), file.into()));
    Ok(sources)
}

#[test]
fn the_defaults_hold_when_nothing_is_said() {
    let config = read("", &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data, PathBuf::from("./data"));
    assert_eq!(config.model_list, [ModelName::Builtin]);
    assert!(config.api_key.is_none() && config.providers.openai.key.is_none() && config.prices.is_empty());
    assert_eq!(config.models.between_chunks, Duration::from_secs(20));
}

#[test]
fn the_file_goes_over_the_defaults_and_the_environment_over_both() {
    let file = r#"
        listen = "0.0.0.0:1"
        model = ["openai/gpt-x", "builtin"]
        [providers.openai]
        key = "from-file"
        base_url = "http://localhost:11434/v1/"
        [models]
        connect = "1500ms"
        [prices."openai/gpt-x"]
        input = 1.25
        output = "10"
    "#;
    let config = read(
        file,
        &[
            ("TERTULIA_LISTEN", "127.0.0.1:9"),
            ("OPENAI_API_KEY", "plain"),
            ("TERTULIA_LIMITS__MESSAGES_BURST", "99"),
            ("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "false"),
            ("TERTULIA_LOG__LEVEL", ""),
            ("TERTULIA_CONFIG", "t.toml"),
            ("TERTULIA_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("TERTULIA_SERVICE_HOST", "10.0.0.1"),
            ("TERTULIA_METRICS_SERVICE_HOST", "10.0.0.7"),
            ("TERTULIA_METRICS_SERVICE_PORT", "9100"),
            ("TERTULIA_METRICS_PORT", "tcp://10.0.0.7:9100"),
            ("TERTULIA_REDIS_PORT_6379_TCP_ADDR", "10.0.0.8"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.port(), 9);
    assert_eq!(config.model_list[0].to_string(), "openai/gpt-x");
    assert_eq!(config.providers.openai.key.as_ref().unwrap().expose_secret(), "plain");
    assert_eq!(config.providers.openai.base_url, "http://localhost:11434/v1");
    assert_eq!(config.models.connect, Duration::from_millis(1500));
    assert_eq!(config.limits.messages_burst.get(), 99);
    assert!(!config.knowledge.demo_documents);
    let price = config.prices[&config.model_list[0]];
    assert_eq!((price.input_microusd_per_million, price.cached_microusd_per_million), (1_250_000, 1_250_000));
    assert_eq!(price.output_microusd_per_million, 10_000_000);
}

#[test]
fn proxies_are_networks_and_addresses_however_they_are_listed() {
    let config = read("", &[]).unwrap();
    assert!(config.server.trusted_proxies.is_empty() && config.public_url.is_none() && config.metrics_listen.is_none());
    let variables = [
        ("TERTULIA_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,2001:db8::/32"),
        ("TERTULIA_SERVER__PROXY_HEADER", "proxy-protocol"),
        ("TERTULIA_PUBLIC_URL", "https://chat.example/"),
        ("TERTULIA_METRICS_LISTEN", "127.0.0.1:9100"),
    ];
    for config in [
        read("", &variables),
        read("[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"192.0.2.7\", \"2001:db8::/32\"]", &variables[1..]),
    ] {
        let config = config.unwrap();
        let proxies: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
        assert_eq!(config.server.proxy_header, ProxyHeader::ProxyProtocol);
        assert_eq!(config.public_url.unwrap().as_str(), "https://chat.example");
        assert_eq!(config.metrics_listen.unwrap().port(), 9100);
    }
}

#[test]
fn the_longer_name_wins_over_the_plain_one() {
    let both = [("TERTULIA_PROVIDERS__OPENAI__KEY", "ours"), ("OPENAI_API_KEY", "plain")];
    for order in [both, [both[1], both[0]]] {
        let config = read("", &order).unwrap();
        assert_eq!(config.providers.openai.key.unwrap().expose_secret(), "ours");
    }
}

#[test]
fn a_cluster_is_named_in_the_file_or_in_the_environment() {
    let config = read("", &[]).unwrap();
    assert_eq!((config.store.url, config.store.tls, config.store.replicas.get()), (StoreUrl::Sqlite, StoreTls::Off, 3));
    assert!(config.store.user.is_none() && config.store.password.is_none() && config.store.datacenter.is_none());
    let long = ("TERTULIA_STORE__URL", "cql://db1,[::1]:9043/chats");
    let short = ("TERTULIA_STORE", "cql://db9/others");
    let others =
        [("TERTULIA_STORE__USER", "me"), ("TERTULIA_STORE__PASSWORD", "canary\n"), ("TERTULIA_STORE__TLS", "on")];
    for (file, variables) in [
        ("", vec![long, short]),
        ("", vec![short, long]),
        ("[store]\nurl = \"cql://db1:9042,[::1]:9043/chats\"", vec![]),
        ("[store]\nurl = \"sqlite\"", vec![("TERTULIA_STORE", long.1)]),
    ] {
        let config = read(file, &[variables.as_slice(), &others].concat()).unwrap();
        assert_eq!(config.store.url.to_string(), "cql://db1:9042,[::1]:9043/chats");
        assert_eq!(config.store.user.as_deref(), Some("me"));
        assert_eq!(config.store.password.as_ref().unwrap().expose_secret(), "canary");
        assert_eq!(config.store.tls, StoreTls::On);
        assert!(!format!("{:?}", config.store).contains("canary"));
    }
    let printed = sources("", &[long, others[0], others[1]]).unwrap().annotated().unwrap();
    assert!(printed.contains("url = \"cql://db1,[::1]:9043/chats\"") && !printed.contains("canary"), "{printed}");
    let config = read("[store]\ntls = \"ca.pem\"\ntls_certificate = \"c\"\ntls_key = \"k\"", &[]).unwrap();
    assert_eq!(config.store.tls, StoreTls::By("ca.pem".into()));
}

#[test]
fn what_nodes_share_is_named_in_the_file_or_in_the_environment() {
    let none = read("", &[]).unwrap();
    assert!(none.redis.url.is_none() && none.peer.listen.is_none() && none.peer.reached_at().is_none());
    let secret = "canary-secret-of-32-signs-or-more";
    let file = format!(
        "[redis]\nurl = \"redis://cache\"\nuser = \"me\"\npassword = \"canary\"\n\
         [peer]\nlisten = \"10.0.0.7:8081\"\nsecret = \"{secret}\"\n"
    );
    let variables = [
        ("TERTULIA_REDIS", "redis://cache"),
        ("TERTULIA_REDIS__USER", "me"),
        ("TERTULIA_REDIS__PASSWORD", "canary"),
        ("TERTULIA_PEER_LISTEN", "10.0.0.7:8081"),
        ("TERTULIA_PEER_SECRET", secret),
    ];
    for (file, variables) in [(file.as_str(), &[][..]), ("", &variables[..])] {
        let config = read(file, variables).unwrap();
        assert_eq!(format!("{:?}", config.redis.url.as_ref().unwrap()), "redis://cache:6379");
        assert_eq!(config.redis.password.as_ref().unwrap().expose_secret(), "canary");
        assert_eq!(config.peer.reached_at().as_deref(), Some("10.0.0.7:8081"));
        assert_eq!(config.peer.secret.as_ref().unwrap().expose_secret(), secret);
        assert!(!format!("{config:?}").contains("canary"));
        let printed = sources(file, variables).unwrap().annotated().unwrap();
        assert!(printed.contains("url = \"redis://cache\"") && !printed.contains("canary"), "{printed}");
    }
    let named = [&variables[3..], &[("TERTULIA_PEER__ADDRESS", "node-1.example:9")]].concat();
    assert_eq!(read("", &named).unwrap().peer.reached_at().as_deref(), Some("node-1.example:9"));
    // An address with a password in it is a secret, however it is written.
    for url in ["redis://:canary@cache", "redis:\\u002f/:canary@cache"] {
        let printed = sources(&format!("[redis]\nurl = \"{url}\""), &[]).unwrap().annotated().unwrap();
        assert!(printed.contains("url = \"\" # it is set") && !printed.contains("canary"), "{printed}");
    }
}

#[test]
fn an_inline_table_of_prices_fits_a_variable() {
    let text = r#"{ "gemini/g" = { input = 0.1, cached = 0.025, output = 0.4 } }"#;
    let config = read("", &[("TERTULIA_PRICES", text)]).unwrap();
    let price = config.prices.values().next().unwrap();
    assert_eq!(price.cached_microusd_per_million, 25_000);
}

#[test]
fn what_is_wrong_is_one_line_that_says_where() {
    let file = |text: &'static str, complaint: &'static str| (text, None, complaint);
    let variable =
        |name: &'static str, value: &'static str, complaint: &'static str| ("", Some((name, value)), complaint);
    let mut wrong = Vec::new();
    for (text, variable, complaint) in [
        file(
            "listen = 1",
            "t.toml, line 1: `listen`: invalid type: integer `1`, expected an address and a port such as",
        ),
        file("lisen = \"x\"", "t.toml, line 1: `lisen` is not a setting; did you mean `listen`?"),
        file(
            "\n[models]\nconect = \"1s\"",
            "t.toml, line 3: `models.conect` is not a setting; did you mean `models.connect`?",
        ),
        file(
            "[model]\nconnect = \"1s\"",
            "t.toml, line 2: `model.connect` is not a setting; did you mean `models.connect`?",
        ),
        file("[log]\ndata = \"x\"", "t.toml, line 2: `log.data` is not a setting; did you mean `data`?"),
        file("[quite.other]\nx = 1", "t.toml, line 1: `quite` is not a setting"),
        file(
            "[prices.\"openai/x\"]\ninptu = 1",
            "t.toml, line 2: `prices.\"openai/x\".inptu` is not a setting; did you mean `prices.\"openai/x\".input`?",
        ),
        file("[prices.\"openai/x\"]\ninput = 1", "t.toml, line 1: `prices.\"openai/x\"`: missing field `output`"),
        file(
            "[prices.\"x\"]\ninput = 1\noutput = 2",
            "t.toml, line 1: `prices.x`: `x` is not a model: write `openai/NAME`, `anthropic/NAME`, `gemini/NAME` or `builtin`",
        ),
        file(
            "[prices.\"openai/x\"]\ninput = -1\noutput = 2",
            "t.toml, line 2: `prices.\"openai/x\".input`: invalid value: integer `-1`, expected US dollars for a million tokens, such as 1.25, with at most six decimals",
        ),
        file(
            "listen = \"here\"",
            "t.toml, line 1: `listen`: invalid value: string \"here\", expected an address and a port such as \"127.0.0.1:8080\"",
        ),
        file(
            "[models]\nconnect = \"soon\"",
            "t.toml, line 2: `models.connect`: invalid value: string \"soon\", expected a duration such as \"1500ms\", \"20s\" or \"15m\", above zero and at most a day",
        ),
        file(
            "[models]\nconnect = 20",
            "t.toml, line 2: `models.connect`: invalid type: integer `20`, expected a duration such as \"1500ms\", \"20s\" or \"15m\", above zero and at most a day",
        ),
        file(
            "[models]\ntotal = \"10s\"",
            "default settings, line 0: `models.first_content_last`: is longer than `models.total`",
        ),
        file(
            "[store]\nreaders = 0",
            "t.toml, line 2: `store.readers`: invalid value: integer `0`, expected a whole number above 0",
        ),
        file("limits = 5", "t.toml, line 1: `limits`: invalid type: integer `5`, expected a table of settings"),
        file(
            "log = [\"info\", \"json\"]",
            "t.toml, line 1: `log`: invalid type: sequence, expected a table of settings",
        ),
        file(
            "[prices]\n\"openai/x\" = [1, 1, 2]",
            "t.toml, line 2: `prices.\"openai/x\"`: invalid type: sequence, expected",
        ),
        file(
            "[log]\nlevel = \"loud\"",
            "t.toml, line 2: `log.level`: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`",
        ),
        file(
            "model = \"openai/gpt-x\"",
            "t.toml, line 1: `model`: `openai/gpt-x` needs a key: set `providers.openai.key` or OPENAI_API_KEY, or the `base_url` of a server that needs none",
        ),
        file(
            "model = [\"builtin\", \"opnai/x\"]",
            "t.toml, line 1: `model`: `opnai` is not a provider: there are openai, anthropic and gemini",
        ),
        file("model = \"builtin,builtin\"", "t.toml, line 1: `model`: `builtin` stands in the list twice"),
        file("model = \",\"", "t.toml, line 1: `model`: expected 1 to 8 models, found 0"),
        file(
            "api_key = \"fifteen-letters\"",
            "t.toml, line 1: `api_key`: expected 16 to 256 letters, digits and signs, without spaces",
        ),
        file(
            "api_key = \"v4.local.AAAAAAAAAAAA\"",
            "t.toml, line 1: `api_key`: a key that begins with `v4.local.` is read as a visitor's token, and would open nothing",
        ),
        file("api_key = 1234567890", "t.toml, line 1: `api_key`: expected a text in quotes"),
        file(
            "[limits]\nvisitor_token_ttl = \"2h\"",
            "t.toml, line 2: `limits.visitor_token_ttl`: expected \"30s\" to \"1h\"",
        ),
        file(
            "public_url = \"https://chat.example/a\"",
            "t.toml, line 1: `public_url`: invalid value: string \"https://chat.example/a\", expected an address without a path",
        ),
        file(
            "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/99\"]",
            "t.toml, line 2: `server.trusted_proxies`: invalid value: string \"10.0.0.0/99\", expected a network such as",
        ),
        file(
            "[server]\nproxy_header = \"x-real-ip\"",
            "t.toml, line 2: `server.proxy_header`: unknown variant `x-real-ip`, expected one of `x-forwarded-for`",
        ),
        file(
            "[limits]\nvisitor_session_max = \"14m\"",
            "t.toml, line 2: `limits.visitor_session_max`: is shorter than `limits.visitor_token_ttl`",
        ),
        file(
            "[store]\nurl = \"cql://db1\"",
            "t.toml, line 2: `store.url`: no keyspace is named: write `sqlite`, or `cql://HOST:PORT,HOST:PORT/KEYSPACE`",
        ),
        file(
            "[store]\nurl = 3",
            "t.toml, line 2: `store.url`: invalid type: integer `3`, expected `sqlite`, or `cql://HOST:PORT,HOST:PORT/KEYSPACE`",
        ),
        file(
            "[store]\nuser = \"me\"",
            "t.toml, line 2: `store.user`: needs `store.password` beside it: set both, or none",
        ),
        file("[store]\npassword = 1234", "t.toml, line 2: `store.password`: expected a text in quotes"),
        file(
            "[store]\ntls = \"yes\"",
            "t.toml, line 2: `store.tls`: invalid value: string \"yes\", expected `off`, `on`, or the path of a file",
        ),
        file(
            "[store]\ntls = \"on\"\ntls_key = \"k.pem\"",
            "t.toml, line 3: `store.tls_key`: needs `store.tls_certificate` beside it: set both, or none",
        ),
        file(
            "[store]\ntls_key = \"k.pem\"\ntls_certificate = \"c.pem\"",
            "t.toml, line 3: `store.tls_certificate`: is shown by TLS alone, and `store.tls` is off",
        ),
        file(
            "[store]\nreplicas = 0",
            "t.toml, line 2: `store.replicas`: invalid value: integer `0`, expected a whole number above 0",
        ),
        file("[store]\nreplicas = 10", "t.toml, line 2: `store.replicas`: expected 1 to 9 copies"),
        file("a = 1\nb = = 2", "t.toml, line 2: "),
        file("listen = \"a\"\nlisten = \"b\"", "t.toml, line 2: duplicate key"),
        variable(
            "TERTULIA_LISTN",
            "x",
            "environment: `TERTULIA_LISTN` is not a setting; did you mean `TERTULIA_LISTEN`?",
        ),
        variable(
            "TERTULIA_MODELS_CONNECT",
            "1s",
            "environment: `TERTULIA_MODELS_CONNECT` is not a setting; did you mean `TERTULIA_MODELS__CONNECT`?",
        ),
        variable(
            "TERTULIA_MODELS__CONNECT",
            "soon",
            "environment: `TERTULIA_MODELS__CONNECT`: invalid value: string \"soon\", expected a duration",
        ),
        variable("TERTULIA_STORE__READERS", "many", "environment: `TERTULIA_STORE__READERS`: expected a whole number"),
        variable(
            "TERTULIA_STORE__READERS",
            "true",
            "environment: `TERTULIA_STORE__READERS`: invalid type: boolean `true`, expected a whole number above 0",
        ),
        variable(
            "TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS",
            "yes",
            "environment: `TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS`: expected true or false",
        ),
        variable(
            "TERTULIA_SERVER_LISTEN",
            "127.0.0.1:1",
            "environment: `TERTULIA_SERVER_LISTEN` is not a setting; did you mean `TERTULIA_LISTEN`?",
        ),
        variable(
            "TERTULIA_DATA_DIR",
            "/data",
            "environment: `TERTULIA_DATA_DIR` is not a setting; did you mean `TERTULIA_DATA`?",
        ),
        variable(
            "TERTULIA_MESSAGES_BURST",
            "9",
            "environment: `TERTULIA_MESSAGES_BURST` is not a setting; did you mean `TERTULIA_LIMITS__MESSAGES_BURST`?",
        ),
        variable("TERTULIA_LOG", "debug", "environment: `TERTULIA_LOG` is not a setting; did you mean `TERTULIA_LOG__"),
        variable(
            "TERTULIA_LISTEN_PORT",
            "9000",
            "environment: `TERTULIA_LISTEN_PORT` is not a setting; did you mean `TERTULIA_LISTEN`?",
        ),
        variable("TERTULIA_PORT", "9000", "environment: `TERTULIA_PORT` is not a setting"),
        variable("TERTULIA_", "x", "environment: `TERTULIA_` is not a setting"),
        file("data_dir = \"x\"", "t.toml, line 1: `data_dir` is not a setting; did you mean `data`?"),
        variable("TERTULIA_STORE", "db1", "environment: `TERTULIA_STORE`: it is no store: write `sqlite`, or `cql://"),
        variable("TERTULIA_STORE__PASSWORD", "canary", "environment: `TERTULIA_STORE__PASSWORD`: needs `store.user`"),
        variable(
            "TERTULIA_REDIS",
            "http://:canary@cache",
            "environment: `TERTULIA_REDIS`: it is no Redis: write `redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS",
        ),
        variable("TERTULIA_REDIS__PASSWORD", "canary", "environment: `TERTULIA_REDIS__PASSWORD`: is for a Redis, and"),
        file(
            "[redis]\nurl = \"redis://:canary@cache\"\npassword = \"canary\"",
            "t.toml, line 3: `redis.password`: stands in `redis.url`, too: write it in one of them",
        ),
        file(
            "[redis]\nurl = \"redis://cache\"\nuser = \"me\"",
            "t.toml, line 3: `redis.user`: needs `redis.password` beside it",
        ),
        variable("TERTULIA_PEER_LISTEN", "8081", "environment: `TERTULIA_PEER_LISTEN`: invalid value: string \"8081\""),
        variable(
            "TERTULIA_PEER_SECRET",
            "canary",
            "environment: `TERTULIA_PEER_SECRET`: expected at least 32 letters, digits and signs, without spaces",
        ),
        variable("TERTULIA_PEER__ADDRESS", "node-1", "environment: `TERTULIA_PEER__ADDRESS`: invalid value: string"),
        file(
            "[peer]\nlisten = \"0.0.0.0:8081\"\nsecret = \"canary-canary-canary-canary-canary\"",
            "t.toml, line 2: `peer.listen`: nobody can reach the node at 0.0.0.0: set `peer.address` to a host and a port",
        ),
        variable(
            "TERTULIA_STORE_USER",
            "me",
            "environment: `TERTULIA_STORE_USER` is not a setting; did you mean `TERTULIA_STORE__USER`?",
        ),
        variable("TERTULIA_PRICES", "cheap", "environment: `TERTULIA_PRICES`: expected an inline table"),
        variable(
            "OPENAI_BASE_URL",
            "ftp://x",
            "environment: `OPENAI_BASE_URL`: invalid value: string \"ftp://x\", expected an address that begins",
        ),
    ] {
        let environment: Vec<_> = variable.into_iter().collect();
        let error = read(text, &environment).expect_err(text);
        let complaint = complaint.replace("line 0", &format!("line {}", line_of("first_content_last = ")));
        if !error.starts_with(&complaint) || error.contains('\n') {
            wrong.push(format!("{text} {environment:?}\n  gives {error}\n  not   {complaint}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn line_of(beginning: &str) -> usize {
    1 + DEFAULT.lines().position(|line| line.starts_with(beginning)).unwrap()
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Sources::read(Some(Path::new("/no/such/file.toml")), []).err().unwrap().to_string();
    assert!(error.starts_with("/no/such/file.toml: cannot be read: "), "{error}");
}

#[test]
fn every_key_has_a_comment_that_names_its_variable() {
    let mut table: Vec<String> = Vec::new();
    let mut comment = String::new();
    let mut keys = 0;
    for line in DEFAULT.lines() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push_str(words);
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').split('.').map(String::from).collect();
        }
        if let Some(key) = annotated::key_of(line) {
            let path: Vec<String> = table.iter().cloned().chain([key.to_string()]).collect();
            let (words, variables) = comment.split_once("Env: ").unwrap_or_else(|| panic!("no `Env:` above {line}"));
            assert!(words.trim().len() > 20, "no explanation above {line}");
            assert!(variables.split(' ').any(|name| name == keys::variable(&path)), "{line}: {variables}");
            keys += 1;
        }
        comment.clear();
    }
    let leaves = Merged::defaults().unwrap().keys.len() - 1;
    assert_eq!(keys, leaves, "a key is written in a way this test and `tertulia config` do not see");
}

#[test]
fn what_is_printed_reads_back_and_shows_no_secret() {
    let file = "model = [\n  \"gemini/g\",\n  \"builtin\",\n]\n[providers.gemini]\nkey = \"canary-1\"\n\
                [prices.'gemini/g']\ninput = 1\noutput = 2.5\n[log]\nformat = 'json'";
    let variables = [
        ("TERTULIA_DATA", "/var/lib/a \"b\""),
        ("TERTULIA_API_KEY", "canary-22-and-more"),
        ("TERTULIA_STORE__READERS", " 9 "),
    ];
    let first = sources(file, &variables).unwrap();
    let text = first.annotated().unwrap();
    assert!(!text.contains("canary"), "{text}");
    let again = read(&text, &[("GEMINI_API_KEY", "canary-1"), ("TERTULIA_API_KEY", "canary-22-and-more")]).unwrap();
    assert_eq!(format!("{again:?}"), format!("{:?}", first.config().unwrap()));
    assert!(!format!("{again:?}").contains("canary"));
    assert_eq!(sources("", &[]).unwrap().annotated().unwrap(), DEFAULT);
    // A secret that is set to nothing is none.
    for nothing in [r#"api_key = """#, "api_key = ''", r#"api_key = """""""#] {
        assert_eq!(sources(nothing, &[]).unwrap().annotated().unwrap(), DEFAULT, "{nothing}");
    }
}
