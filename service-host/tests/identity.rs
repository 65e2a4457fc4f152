//! Certificates on real connections: who is let in, who is dialled, and what a new pair changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "fixture/ca.rs"]
mod ca;
mod fixture;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ca::{Ca, DAY, replace};
use fixture::{NAME, Running, ask, client, start_with};
use service_host::access::{AccessTable, RefusedCall, ServiceAccess, Who};
use service_host::client::service_channel;
use service_host::identity::{
    CERTIFICATE_FILE, Clients, Identity, IdentityError, KEY_FILE, Role, Secured, TlsFiles, dial,
};
use service_host::metrics::Metrics;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::{Dial, Endpoints, Incoming};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt;

/// The example: a gateway may check, everybody may watch who has a certificate.
const TABLE: AccessTable = &[ServiceAccess {
    service: NAME,
    methods: &[("Check", Who::Roles(&[Role::Gateway])), ("Watch", Who::Roles(&Role::ALL))],
}];

struct Server {
    running: Running,
    address: Endpoints,
    refused: Arc<Mutex<Vec<RefusedCall>>>,
    token: Secret,
}

async fn serve(identity: &Identity, clients: Clients) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let refused: Arc<Mutex<Vec<RefusedCall>>> = Arc::default();
    let told = refused.clone();
    let token = Secret::generate();
    let host = GrpcHost::new(&[]).token(token.clone()).access(TABLE);
    let host = host.on_refusal(Arc::new(move |call| told.lock().unwrap().push(call)));
    let running = start_with(host, Incoming::tcp(listener, Some(identity), clients));
    Server { running, address, refused, token }
}

impl Server {
    fn dial(&self, identity: &Identity) -> Dial {
        dial(&self.address, Some(identity), Role::Registry).unwrap()
    }

    async fn check_as(&self, identity: &Identity) -> Result<(), tonic::Status> {
        let channel = service_channel(&self.dial(identity), &self.token).unwrap();
        client(channel).check(ask("")).await.map(drop)
    }
}

#[tokio::test]
async fn a_certificate_s_role_opens_what_the_table_says_and_nothing_else() {
    let ca = Ca::new("test");
    let mut server = serve(&ca.identity(Role::Registry, "r1"), Clients::Required).await;
    server.check_as(&ca.identity(Role::Gateway, "g1")).await.unwrap();
    let seen = server.running.seen.recv().await.unwrap();
    assert_eq!(seen.actor, "gateway:g1", "who calls is who the certificate says");
    assert!(seen.remote.is_some());
    for role in [Role::Runner, Role::Monitor, Role::Operator, Role::Registry] {
        let refusal = server.check_as(&ca.identity(role, "x")).await.unwrap_err();
        assert_eq!(refusal.code(), Code::PermissionDenied, "{role}: {refusal:?}");
        let info = refusal.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["role"].as_str()), ("PERMISSION_DENIED", role.as_str()));
        let told = server.refused.lock().unwrap().pop().unwrap();
        assert_eq!((told.actor, told.method), (format!("{role}:x"), format!("{NAME}/Check")));
        assert!(told.source.is_some());
    }
    assert!(server.running.seen.try_recv().is_err(), "a refused call reached the handler");
    server.running.stop().await;
}

#[tokio::test]
async fn a_token_opens_nothing_on_an_encrypted_connection_and_nobody_speaks_for_others() {
    let ca = Ca::new("test");
    let mut server = serve(&ca.identity(Role::Registry, "r1"), Clients::Joining).await;
    // Without a certificate, but with the right token.
    let folder = ca.folder(Role::Runner, "n", DAY);
    let nobody = Secured::public(Some(&TlsFiles::in_dir(&folder).ca), None).unwrap();
    let channel = server.address.secured(nobody).unwrap().channel().unwrap();
    let mut request = tonic::Request::new(ask(""));
    request.metadata_mut().insert("authorization", format!("Bearer {}", server.token.expose()).parse().unwrap());
    let refusal = client(channel).check(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated, "{refusal:?}");
    // A gateway says for whom it calls; who is none is called by its own name.
    let channel = server.dial(&ca.identity(Role::Gateway, "g1")).channel().unwrap();
    let mut request = tonic::Request::new(ask(""));
    request.metadata_mut().insert("pm-actor", "admin".parse().unwrap());
    client(channel).check(request).await.unwrap();
    assert_eq!(server.running.seen.recv().await.unwrap().actor, "admin");
    server.running.stop().await;
}

#[tokio::test]
async fn whoever_is_of_another_cluster_or_ca_or_speaks_plain_text_is_kept_out() {
    let (ca, other) = (Ca::new("test"), Ca::new("test"));
    let server = serve(&ca.identity(Role::Registry, "r1"), Clients::Required).await;
    let refusal = server.check_as(&other.identity(Role::Gateway, "g")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    assert!(refusal.message().contains("another CA"), "{refusal:?}");
    // The same CA, but for another cluster: the client sees it first, and so does the server.
    let elsewhere = ca.for_cluster("elsewhere");
    let stranger = elsewhere.identity(Role::Gateway, "g");
    let refusal = server.check_as(&stranger).await.unwrap_err();
    assert!(refusal.message().contains("no registry of cluster elsewhere"), "{refusal:?}");
    let trusting = Secured::public(None, Some(&stranger)).unwrap();
    let channel = server.address.secured(trusting).unwrap().channel().unwrap();
    let refusal = client(channel).check(ask("")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied, "{refusal:?}");
    assert!(refusal.message().contains("elsewhere"), "{refusal:?}");
    // No certificate, where one is required.
    let folder = ca.folder(Role::Runner, "n", DAY);
    let nobody = Secured::public(Some(&TlsFiles::in_dir(&folder).ca), None).unwrap();
    let channel = server.address.secured(nobody).unwrap().channel().unwrap();
    assert!(client(channel).check(ask("")).await.is_err());
    // Plain text, with the right token.
    let plain = Dial::Tcp(server.address.addresses()[0].replace("https", "http"));
    let channel = service_channel(&plain, &server.token).unwrap();
    assert!(client(channel).check(ask("")).await.is_err());
    server.running.stop().await;
}

#[tokio::test]
async fn a_client_calls_only_whom_it_means() {
    let ca = Ca::new("test");
    let server = serve(&ca.identity(Role::Monitor, "m1"), Clients::Required).await;
    let refusal = server.check_as(&ca.identity(Role::Gateway, "g")).await.unwrap_err();
    assert!(refusal.message().contains("monitor/m1, and no registry"), "{refusal:?}");
    assert!(server.refused.lock().unwrap().is_empty(), "nothing was sent");
    // Who joins knows the fingerprint of the CA alone.
    let joining = |fingerprint: &str| server.address.secured(Secured::joining(fingerprint).unwrap()).unwrap();
    let channel = joining(&ca.authority.fingerprint()).channel().unwrap();
    let refusal = client(channel).check(ask("")).await.unwrap_err();
    assert!(refusal.message().contains("and no registry"), "{refusal:?}");
    let registry = serve(&ca.identity(Role::Registry, "r1"), Clients::Joining).await;
    let joining = |fingerprint: &str| registry.address.secured(Secured::joining(fingerprint).unwrap()).unwrap();
    let channel = joining(&ca.authority.fingerprint().to_uppercase()).channel().unwrap();
    let refusal = client(channel).check(ask("")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated, "it is the right one, and wants a certificate: {refusal:?}");
    let channel = joining(&Ca::new("test").authority.fingerprint()).channel().unwrap();
    let refusal = client(channel).check(ask("")).await.unwrap_err();
    assert!(refusal.message().contains("fingerprint"), "{refusal:?}");
    registry.running.stop().await;
    server.running.stop().await;
}

#[test]
fn a_pair_of_no_use_is_refused_with_the_file_and_what_to_do() {
    let ca = Ca::new("test");
    let load = |dir: &std::path::Path| Identity::load(TlsFiles::in_dir(dir), Role::Gateway);
    let good = ca.folder(Role::Gateway, "good", DAY);
    load(&good).unwrap();
    let other = ca.folder(Role::Gateway, "other", DAY);
    let mixed = ca.folder(Role::Gateway, "mixed", DAY);
    std::fs::copy(other.join(KEY_FILE), mixed.join(KEY_FILE)).unwrap();
    assert!(matches!(load(&mixed).unwrap_err(), IdentityError::Mismatch { .. }));
    let expired = ca.expired(Role::Gateway, "expired");
    let error = load(&expired).unwrap_err().to_string();
    assert!(error.contains("expired") && error.contains(CERTIFICATE_FILE), "{error}");
    // Whoever has work without connections goes on with it.
    Identity::load_even_if_over(TlsFiles::in_dir(&expired), Role::Gateway).unwrap();
    assert!(Identity::load_even_if_over(TlsFiles::in_dir(&mixed), Role::Gateway).is_err());
    let foreign = Ca::new("test");
    let folder = foreign.folder(Role::Gateway, "foreign", DAY);
    replace(&folder.join("ca.crt"), &ca.pem);
    let error = load(&folder).unwrap_err().to_string();
    assert!(error.contains("another CA"), "{error}");
    let error = load(&ca.folder(Role::Runner, "node", DAY)).unwrap_err().to_string();
    assert!(error.contains("runner/node") && error.contains("gateway"), "{error}");
    std::fs::write(good.join(CERTIFICATE_FILE), "nonsense").unwrap();
    assert!(matches!(load(&good).unwrap_err(), IdentityError::Nothing { .. }));
    let open = ca.folder(Role::Gateway, "open", DAY);
    let permissions = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    std::fs::set_permissions(open.join(KEY_FILE), permissions).unwrap();
    let error = load(&open).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

/// Waits until the pair in force is another one.
async fn renewed(identity: &Identity, changes: &mut tokio::sync::watch::Receiver<u64>) {
    tokio::time::timeout(Duration::from_secs(20), changes.changed())
        .await
        .expect("no new pair came into force")
        .unwrap();
    changes.borrow_and_update();
    assert!(identity.validity().to > std::time::SystemTime::now());
}

/// Waits until the metrics say so.
async fn shows(metrics: &Metrics, line: &str) {
    let shown = async {
        while !metrics.encode().contains(line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), shown).await;
    waited.unwrap_or_else(|_| panic!("{line} is missing in\n{}", metrics.encode()));
}

#[tokio::test]
async fn a_new_pair_counts_for_new_connections_and_a_bad_one_leaves_the_old_in_force() {
    let ca = Ca::new("test");
    let folder = ca.folder(Role::Registry, "r1", DAY);
    let identity = Identity::load(TlsFiles::in_dir(&folder), Role::Registry).unwrap();
    let metrics = Metrics::new("test");
    identity.register(&metrics);
    let stop = CancellationToken::new();
    let watching = tokio::spawn(identity.watch(stop.clone()).unwrap());
    let mut changes = identity.changes();
    let server = serve(&identity, Clients::Required).await;
    let gateway = ca.identity(Role::Gateway, "g");

    // A stream and a client from before; both go on through everything that follows.
    let old = service_channel(&server.dial(&gateway), &server.token).unwrap();
    let mut stream = client(old.clone()).watch(ask("")).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();

    let before = identity.validity();
    ca.put(&folder, Role::Registry, "r1", 2 * DAY);
    renewed(&identity, &mut changes).await;
    assert!(identity.validity().to > before.to);
    let seconds = identity.validity().to.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    shows(&metrics, &format!("pm_tls_certificate_expiry_seconds {seconds}")).await;
    shows(&metrics, "pm_tls_reload_failures_total 0").await;
    server.check_as(&gateway).await.unwrap();
    client(old.clone()).check(ask("")).await.unwrap();

    // Half a pair: the key of another one.
    let other = ca.folder(Role::Registry, "other", DAY);
    replace(&folder.join(KEY_FILE), &std::fs::read_to_string(other.join(KEY_FILE)).unwrap());
    shows(&metrics, "pm_tls_reload_failures_total 1").await;
    server.check_as(&gateway).await.unwrap();
    // Somebody else's whole pair.
    ca.put(&folder, Role::Registry, "other", DAY);
    shows(&metrics, "pm_tls_reload_failures_total 2").await;
    assert_eq!(identity.id().name(), "r1");
    // One that has expired.
    let aside = ca.for_cluster("test");
    let expired = aside.expired(Role::Registry, "r1");
    for file in [KEY_FILE, CERTIFICATE_FILE] {
        replace(&folder.join(file), &std::fs::read_to_string(expired.join(file)).unwrap());
    }
    shows(&metrics, "pm_tls_reload_failures_total 3").await;
    server.check_as(&gateway).await.unwrap();
    // And it is mended.
    ca.put(&folder, Role::Registry, "r1", 3 * DAY);
    renewed(&identity, &mut changes).await;
    server.check_as(&gateway).await.unwrap();

    client(old).check(ask("")).await.unwrap();
    let still_open = tokio::time::timeout(Duration::from_millis(50), stream.message()).await;
    assert!(still_open.is_err(), "the stream ended: {still_open:?}");
    assert!(server.refused.lock().unwrap().is_empty());
    stop.cancel();
    watching.await.unwrap();
    server.running.stop().await;
}
