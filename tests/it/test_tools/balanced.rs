//! Nodes behind the load balancer of deploy/compose, and before its Prometheus: both are the real programs, with the
//! very files that stand there, in which only addresses are replaced.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use tests::api::Api;
use tests::client::Socket;
use tests::node::{Node, fresh};
use tests::rawhttp::RawHttp;
use tests::servers::{Program, program::addresses};
use tests::stream::text_of;
use tests::stub::Stub;
use tests::{PATIENCE, look_again, source};
use tokio::time::timeout;

const KEY: &str = "a-key-that-both-nodes-know";

/// Where everything is.
struct Places {
    clients: SocketAddr,
    figures: SocketAddr,
    nodes: [SocketAddr; 2],
    metrics: [SocketAddr; 2],
}

impl Places {
    fn find() -> Self {
        let [clients, figures, one, two, one_metrics, two_metrics] = addresses().unwrap();
        Self { clients, figures, nodes: [one, two], metrics: [one_metrics, two_metrics] }
    }

    /// A file of deploy/compose, with each place that stands there replaced by one of these.
    fn adapted(&self, path: &str, more: &[(&str, String)]) -> String {
        let mut text = std::fs::read_to_string(source::root().join("deploy/compose").join(path)).unwrap();
        for (name, here) in more {
            assert!(text.contains(name), "{path} has no {name}");
            text = text.replace(name, here);
        }
        text
    }

    fn balancer(&self) -> Program {
        let [one, two] = self.nodes;
        let text = self.adapted(
            "haproxy/haproxy.cfg",
            &[
                ("bind :8080", format!("bind {}", self.clients)),
                ("bind :8405", format!("bind {}", self.figures)),
                ("tertulia-1:8080", one.to_string()),
                ("tertulia-2:8080", two.to_string()),
                ("    server tertulia-3 tertulia-3:8080\n", String::new()),
            ],
        );
        let arguments = |file: &Path| vec!["-f".to_owned(), file.to_str().unwrap().to_owned()];
        Program::start("haproxy", ("haproxy.cfg", &text), arguments, self.clients).unwrap()
    }

    fn node(&self, which: usize, stub: &Stub, more: &[(&str, &str)]) -> Node {
        let (listen, metrics, base) = (self.nodes[which].to_string(), self.metrics[which].to_string(), stub.base());
        let settings = [
            ("TERTULIA_LISTEN", &*listen),
            ("TERTULIA_METRICS_LISTEN", &metrics),
            ("TERTULIA_API_KEY", KEY),
            ("TERTULIA_MODEL", "openai/stub"),
            ("OPENAI_BASE_URL", &base),
            // From there the load balancer comes.
            ("TERTULIA_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ];
        Node::start_in(fresh(), &[&settings[..], more].concat())
    }

    /// Waits until the load balancer sees a node so: `UP`, or `DOWN`.
    async fn sees(&self, server: &str, state: &str) {
        let figure = format!("haproxy_server_status{{proxy=\"tertulia\",server=\"{server}\",state=\"{state}\"}} 1");
        let figures = Api::new(self.figures, None);
        let seen = timeout(PATIENCE, async {
            while !figures.metrics().await.contains(&figure) {
                look_again().await;
            }
        });
        assert!(seen.await.is_ok(), "{server} is not {state}: {}", figures.metrics().await);
    }

    fn api(&self) -> Api {
        Api::new(self.clients, Some(KEY.to_owned()))
    }
}

#[tokio::test]
async fn sockets_and_streams_go_through_and_on_elsewhere_when_a_node_drains() {
    let (places, mut stub) = (Places::find(), Stub::start());
    let mut first = places.node(0, &stub, &[("TERTULIA_SERVER__DRAIN_TIMEOUT", "60s")]);
    let _balancer = places.balancer();
    places.sees("tertulia-1", "UP").await;
    let mut ana = Socket::open(places.clients, KEY).await;
    let id = ana.join_new().await;
    let asked = ana.say(id, "r1", "Tell me something long, please.").await;
    let call = stub.call().await;
    let mut stream = places.api().stream(id, "0").await;
    call.token("Once upon ");
    ana.hears(id, 1, 0, 10).await;
    let delta = stream.find(|sent| sent.delta()).await;
    assert_eq!(delta.text.as_str(), "Once upon ", "word by word, held back by nobody");

    let second = places.node(1, &stub, &[]);
    places.sees("tertulia-2", "UP").await;
    first.signal("TERM");
    // From the first moment on, whoever only asks is answered by the other one, where this one no longer does.
    for _ in 0..50 {
        assert_eq!(places.api().get("/readyz").await.status, 200);
    }
    places.sees("tertulia-1", "DOWN").await;
    let mut bo = Socket::open(places.clients, KEY).await;
    let elsewhere = bo.join_new().await;
    assert_eq!(Api::new(second.address, Some(KEY.into())).view(elsewhere).await.head, 1);

    // What ran there runs to its end, through the load balancer that sends it nothing new.
    call.token("a time.");
    call.finish();
    let reply = ana.reply_to(id, asked).await;
    assert_eq!(text_of(&reply), "Once upon a time.");
    assert_eq!(stream.reply_to(asked).await, reply);
    let (code, reason) = ana.closed().await;
    assert_eq!(code, 4000, "{reason}");
    assert!(reason.contains("come back"), "{reason}");
    assert!(first.ended().await.success());
    let mut back = Socket::open(places.clients, KEY).await;
    let id = back.join_new().await;
    assert_eq!(Api::new(second.address, Some(KEY.into())).view(id).await.head, 1);
    bo.say(elsewhere, "r1", "Are you still there?").await;
}

/// The nodes believe the load balancer, and it believes nobody.
#[tokio::test]
async fn a_clients_address_is_its_own_whatever_it_says() {
    let (places, stub) = (Places::find(), Stub::start());
    let slow = [("TERTULIA_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "20")];
    let _node = places.node(0, &stub, &slow);
    let _balancer = places.balancer();
    places.sees("tertulia-1", "UP").await;
    let [busy, quiet] = [Ipv4Addr::new(127, 77, 0, 1), Ipv4Addr::new(127, 77, 0, 2)];
    let asks = |connection: &mut RawHttp, claimed: &str| {
        connection.ask(&format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {claimed}\r\n\r\n")).status
    };
    let mut connection = RawHttp::open(busy, places.clients);
    // Under other names it is the same one.
    let refused = (0..500).map(|n| asks(&mut connection, &format!("192.0.2.{}", n % 250))).any(|status| status == 429);
    assert!(refused, "it may ask without end");
    assert_eq!(asks(&mut RawHttp::open(quiet, places.clients), &busy.to_string()), 200, "another one's place");
    places.sees("tertulia-1", "UP").await;
}

#[tokio::test]
async fn its_prometheus_reads_every_node_and_the_load_balancer() {
    let (places, stub) = (Places::find(), Stub::start());
    let _nodes = [0, 1].map(|which| places.node(which, &stub, &[]));
    let _balancer = places.balancer();
    let [listen] = addresses().unwrap();
    let text = places.adapted(
        "prometheus/prometheus.yml",
        &[
            ("scrape_interval: 15s", "scrape_interval: 1s".to_owned()),
            ("scrape_timeout: 10s", "scrape_timeout: 1s".to_owned()),
            ("tertulia-1:9100", places.metrics[0].to_string()),
            ("tertulia-2:9100", places.metrics[1].to_string()),
            (", tertulia-3:9100", String::new()),
            ("haproxy:8405", places.figures.to_string()),
            ("scylla-1:9180, scylla-2:9180, scylla-3:9180", String::new()),
            ("localhost:9090", listen.to_string()),
        ],
    );
    let arguments = |file: &Path| {
        let data = file.with_file_name("data");
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address={listen}"),
        ]
    };
    let _prometheus = Program::start("prometheus", ("prometheus.yml", &text), arguments, listen).unwrap();
    let prometheus = Api::new(listen, None);
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "{}", prometheus.get("/api/v1/targets").await.body);
        let found: Value = prometheus.get("/api/v1/query?query=sum%20by(job)(up)").await.ok();
        let up = |job: &str| {
            let rows = found["data"]["result"].as_array().into_iter().flatten();
            rows.filter(|row| row["metric"]["job"] == job).find_map(|row| row["value"][1].as_str().map(str::to_owned))
        };
        if up("tertulia").as_deref() == Some("2") && up("haproxy").as_deref() == Some("1") {
            break;
        }
        look_again().await;
    }
    // The name of a figure of each, as it is asked for.
    for query in ["tertulia_build_info", "haproxy_server_status"] {
        let found: Value = prometheus.get(&format!("/api/v1/query?query={query}")).await.ok();
        assert!(!found["data"]["result"].as_array().unwrap().is_empty(), "{query}");
    }
}
