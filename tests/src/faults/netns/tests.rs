use super::*;
use crate::Lines;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// So long silence is listened to: long beside an answer within one machine, short beside a test.
const SILENCE: Duration = Duration::from_millis(700);
/// So long an answer is waited for that has to come, however busy the machine is.
const ANSWER: Duration = Duration::from_secs(20);
const PORT: u16 = 7;

/// A server in a space that gives its name to whoever connects.
struct Server(Child);

impl Server {
    fn start(net: &Net, i: usize) -> Self {
        let script = format!(
            "use IO::Socket; my $s = IO::Socket::INET->new(LocalAddr => '{}', LocalPort => {PORT}, Listen => 9) or die $!; \
             $| = 1; print qq(ready\\n); while (my $c = $s->accept) {{ print $c qq(space {i}\\n); close $c }}",
            net.host(i)
        );
        let mut words = net.enter(i);
        words.extend(["perl".to_owned(), "-e".to_owned(), script]);
        let mut command = Command::new(&words[0]);
        let mut child = command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let _ = Lines::of(child.stdout.take().unwrap()).wait_for("ready");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program in a space gets from another one within this time: its name, or an error.
fn ask(net: &Net, from: usize, to: usize, wait: Duration) -> String {
    let seconds = wait.as_secs_f64();
    let script = format!(
        "use IO::Socket; my $s = IO::Socket::INET->new(PeerAddr => '{}', PeerPort => {PORT}, Timeout => {seconds}); \
         if (!$s) {{ print qq(no: $!\\n); exit }} \
         local $SIG{{ALRM}} = sub {{ print qq(no: silence\\n); exit }}; alarm {}; print scalar <$s>",
        net.host(to),
        seconds.ceil()
    );
    let [program, namespace, end] = net.spaces[from].enter();
    tool::run(Command::new(program).args([&namespace, &end]).args(["perl", "-e", &script])).trim().to_owned()
}

fn hears(net: &Net, from: usize, to: usize, wait: Duration) -> bool {
    ask(net, from, to, wait) == format!("space {to}")
}

fn outside_reaches(net: &Net, i: usize, wait: Duration) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((net.host(i), PORT)), wait).is_ok()
}

#[test]
fn each_shape_of_a_partition_cuts_what_it_says_and_heals() {
    let net = Net::new(3);
    let _servers: Vec<Server> = (0..3).map(|i| Server::start(&net, i)).collect();
    // Which of the six ways carry an answer: 01 02 10 12 20 21.
    let carry = |expected: &str, when: &str| {
        let pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        let way = |((from, to), expected)| {
            let wait = if expected == '+' { ANSWER } else { SILENCE };
            if hears(&net, from, to, wait) { '+' } else { '-' }
        };
        assert_eq!(pairs.into_iter().zip(expected.chars()).map(way).collect::<String>(), expected, "{when}");
    };
    carry("++++++", "at first");
    assert_eq!(net.all_dropped(), 0);

    let shapes: [(&str, &dyn Fn(), &str); 4] = [
        ("isolate", &|| net.isolate(0), "---+-+"),
        ("minority", &|| net.split(&[2], &[0, 1]), "+-+---"),
        // One way cut is enough that no connection comes about.
        ("one way in", &|| net.drop_in(1), "-+--+-"),
        ("ring", &|| net.ring(), "+-++-+"),
    ];
    for (name, cut, expected) in shapes {
        let before = net.all_dropped();
        cut();
        carry(expected, name);
        assert!(net.all_dropped() > before, "{name}: nothing was dropped");
        assert!((0..3).all(|i| outside_reaches(&net, i, ANSWER)), "{name}: the test is cut off");
        net.heal();
    }
    carry("++++++", "in the end");
}

#[test]
fn one_way_out_drops_what_is_sent_and_takes_what_comes() {
    let net = Net::new(2);
    let _server = Server::start(&net, 1);
    net.drop_out(0);
    assert!(!hears(&net, 0, 1, SILENCE));
    assert!(net.dropped(0) > 0 && net.dropped(1) == 0, "{} {}", net.dropped(0), net.dropped(1));
}

#[test]
fn a_pulled_cable_is_an_error_at_once_and_for_everybody() {
    let net = Net::new(2);
    let _servers: Vec<Server> = (0..2).map(|i| Server::start(&net, i)).collect();
    net.link_down(0);
    let said = ask(&net, 0, 1, ANSWER);
    assert!(said.contains("unreachable"), "{said}");
    assert!(!outside_reaches(&net, 0, SILENCE) && outside_reaches(&net, 1, ANSWER));
    net.link_up(0);
    crate::until("the cable is back", || outside_reaches(&net, 0, SILENCE) && hears(&net, 0, 1, SILENCE));
}

#[test]
fn a_lossy_link_loses_about_the_share_that_it_shall() {
    let net = Net::new(2);
    net.loss(1, 30);
    // Datagrams, since TCP would send again what is lost; few at a time, or some are lost before they are counted.
    let count = 2_000;
    let script = format!(
        "use IO::Socket; my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '{}', PeerPort => 9); \
         for (1..{count}) {{ send($s, 'x', 0); select(undef, undef, undef, 0.002) unless $_ % 50 }}",
        net.host(1)
    );
    let [program, namespace, end] = net.spaces[0].enter();
    let _ = tool::run(Command::new(program).args([&namespace, &end]).args(["perl", "-e", &script]));
    let lost = net.dropped(1);
    assert!((count / 5..count * 2 / 5).contains(&lost), "{lost} of {count}");
}

#[test]
fn a_detour_leads_a_connection_to_the_test() {
    let net = Net::new(2);
    let _server = Server::start(&net, 1);
    let listener = std::net::TcpListener::bind((net.outside(), 0)).unwrap();
    net.detour(0, 1, PORT, listener.local_addr().unwrap().port());
    let answers = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        stream.write_all(b"the test\n").unwrap();
        from.ip()
    });
    assert_eq!(ask(&net, 0, 1, ANSWER), "the test");
    assert_eq!(answers.join().unwrap(), net.host(0));
    net.heal();
    assert_eq!(ask(&net, 0, 1, ANSWER), "space 1");
}

#[test]
fn nothing_of_a_network_is_left() {
    let net = Net::new(1);
    let device = format!("/sys/class/net/pm{}", net.number);
    assert!(std::path::Path::new(&device).exists());
    drop(net);
    crate::until("the device goes with its namespace", || !std::path::Path::new(&device).exists());
}
