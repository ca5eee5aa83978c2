//! Who sees what, over HTTP against the simulated GitHub: every kind of person, every kind of
//! repository, every route.

use std::sync::Arc;

use http::StatusCode;
use jiff::SignedDuration;
use phasebot::{
    forge::github::sign_in::GitHubSignIn,
    web::{Access, Sessions},
};
use reqwest::Method;

use super::{Answer, Client};
use crate::flow::{Setup, World};

const CLIENT: &str = "Iv23liTEST";
const SECRET: &str = "a client secret of the App";
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Repositories: each is private unless its name says otherwise.
pub const REPOSITORIES: [&str; 6] =
    ["acme/shop", "acme/secret", "acme/open", "acme/not-installed", "other/tool", "acme/missing"];

/// Pages of a repository.
const PAGES: [&str; 12] = [
    "",
    "/about",
    "/env",
    "/gates",
    "/dora",
    "/deployments",
    "/changes?from=2026-02-02",
    "/flow",
    "/retro",
    "/retro/2026-W09",
    "/items/1",
    "/items/99",
];

/// A world with sign-in, and the address that its pages have.
pub async fn world() -> (World, Client) {
    let world = World::with(Setup {
        pages: None,
        sign_in: Some(|forge, store, url| {
            let github = GitHubSignIn::new(CLIENT.to_owned(), SECRET.into(), forge.api_url(), forge.web_url()).unwrap();
            Access::SignIn(Box::new(Sessions::new(Arc::new(github), &[KEY.into()], url, store)))
        }),
        ..Setup::default()
    })
    .await;
    let address = world.web.unwrap();
    world.forge.register_sign_in(CLIENT, SECRET, &format!("http://{address}/callback"));
    let client = Client::new(address);
    (world, client)
}

/// Creates the repositories, the App on all but one of them, and an issue in each.
pub async fn populate(world: &World) {
    let forge = &world.forge;
    for name in ["acme/secret", "acme/open", "acme/not-installed", "other/tool"] {
        forge.create_repo(name).unwrap();
    }
    for name in ["acme/shop", "acme/secret", "acme/not-installed", "other/tool"] {
        forge.set_private(name, true).unwrap();
    }
    forge.set_private("acme/open", false).unwrap();
    forge.change_installation(world.installation, "alice", &["acme/secret", "acme/open"], &[]).unwrap();
    forge.install("owner-of-other", &["other/tool"]).unwrap();
    for name in &REPOSITORIES[..5] {
        forge.person("ada", name).unwrap().open_issue(&format!("Only for readers of {name}"), "", &[]).unwrap();
    }
    // reader reads one, member all of one owner's, other one of another owner; stranger nothing.
    forge.set_role("acme/shop", "reader", "read").unwrap();
    for name in ["acme/shop", "acme/secret", "acme/open", "acme/not-installed"] {
        forge.set_role(name, "member", "write").unwrap();
    }
    forge.set_role("other/tool", "outsider", "admin").unwrap();
    world.minute().await;
}

/// Signs in as a person in a browser without cookies.
async fn sign_in(world: &World, client: &Client, login: &str) {
    world.forge.sign_in_as(login);
    client.forget_cookies();
    let begun = client.get("/login/github?to=%2Facme%2Fshop").await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.body);
    let back = client.follow(begun.header("location")).await;
    assert_eq!(back.status, StatusCode::FOUND, "{}", back.body);
    let back = client.get(path_of(back.header("location"))).await;
    assert_eq!((back.status, back.header("location")), (StatusCode::SEE_OTHER, "/acme/shop"), "{}", back.body);
}

fn path_of(address: &str) -> &str {
    let rest = address.split_once("://").unwrap().1;
    &rest[rest.find('/').unwrap()..]
}

/// What a person sees of a repository: whether it is there.
pub fn may_see(login: &str, repository: &str) -> bool {
    match login {
        "reader" => ["acme/shop", "acme/open"].contains(&repository),
        "member" => ["acme/shop", "acme/secret", "acme/open"].contains(&repository),
        "outsider" => ["other/tool", "acme/open"].contains(&repository),
        // GitHub lets everyone with an account read what is public.
        _ => repository == "acme/open",
    }
}

#[tokio::test]
async fn everyone_sees_what_github_lets_them_read_and_nothing_else() {
    let (world, client) = world().await;
    populate(&world).await;
    for login in ["reader", "member", "outsider", "stranger"] {
        sign_in(&world, &client, login).await;
        let nothing = client.get("/nobody/nothing").await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
        for repository in REPOSITORIES {
            for page in PAGES {
                let path = format!("/{repository}{page}");
                let answer = client.get(&path).await;
                if may_see(login, repository) {
                    let status = if page == "/items/99" { StatusCode::NOT_FOUND } else { StatusCode::OK };
                    assert_eq!(answer.status, status, "{login} {path}\n{}", answer.body);
                } else {
                    // Missing and forbidden are the same, to the byte.
                    assert_eq!((answer.status, &answer.body), (nothing.status, &nothing.body), "{login} {path}");
                }
            }
        }
        let list = client.get("/").await;
        assert_eq!(list.status, StatusCode::OK);
        for repository in REPOSITORIES {
            // The list names those to which a person was given access.
            let named = may_see(login, repository) && (repository != "acme/open" || login == "member");
            assert_eq!(list.body.contains(&format!("href=\"/{repository}\"")), named, "{login} {repository}");
        }
        for page in [&list.body, &client.get("/about").await.body] {
            for repository in REPOSITORIES.iter().filter(|repository| !may_see(login, repository)) {
                assert!(!page.contains(repository), "{login} {repository}\n{page}");
            }
        }
    }
    world.check().await;
}

#[tokio::test]
async fn nobody_who_did_not_sign_in_sees_anything() {
    let (world, client) = world().await;
    populate(&world).await;
    let mut paths: Vec<String> =
        REPOSITORIES.iter().flat_map(|name| PAGES.map(|page| format!("/{name}{page}"))).collect();
    paths.extend(["/", "/about", "/nothing"].map(str::to_owned));
    for path in &paths {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SEE_OTHER, ""), "{path}");
        assert!(answer.header("location").starts_with("/login?to=%2F"), "{path}");
    }
    for (path, status) in [("/login", StatusCode::OK), ("/callback", StatusCode::BAD_REQUEST)] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.body.contains("acme"), "{}", answer.body);
    }
    // Nobody's cookie is a session.
    for cookie in ["__Host-phasebot=", "__Host-phasebot=AAAA", "__Host-phasebot-sign-in=AAAA"] {
        let answer = client.get_with("/acme/shop", &[("cookie", cookie)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{cookie}");
    }
}

#[tokio::test]
async fn lost_access_is_seen_within_five_minutes_and_a_revoked_token_ends_the_session() {
    let (world, client) = world().await;
    populate(&world).await;
    sign_in(&world, &client, "reader").await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
    world.forge.set_role("acme/shop", "reader", "none").unwrap();
    world.forge.clear_requests();
    world.run(SignedDuration::from_mins(4)).await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
    assert!(!world.calls().iter().any(|call| call == "GET /repos/{owner}/{repo}"), "what GitHub said is remembered");
    world.run(SignedDuration::from_mins(1)).await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::NOT_FOUND);

    world.forge.revoke_sign_ins("reader");
    world.run(SignedDuration::from_mins(5)).await;
    let answer = client.get("/acme/shop").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("location").starts_with("/login?to=%2F"), "{}", answer.header("location"));
}

#[tokio::test]
async fn a_person_who_takes_the_authorization_back_is_signed_out_at_once() {
    let (world, client) = world().await;
    populate(&world).await;
    sign_in(&world, &client, "reader").await;
    world.run(SignedDuration::from_secs(1)).await;
    assert_eq!(client.get("/about").await.status, StatusCode::OK);
    world.forge.revoke_sign_ins("reader");
    world.run(SignedDuration::from_secs(1)).await;
    // A page that asks GitHub nothing would not notice by itself.
    assert_eq!(client.get("/about").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn without_an_answer_of_github_nothing_is_shown() {
    let (world, client) = world().await;
    populate(&world).await;
    sign_in(&world, &client, "member").await;
    let fault = |route: &str| crate::flow::trouble::fault("GET", route, phasebot_forge_sim::FaultKind::Status502Before);
    world.forge.inject(fault("/repos/{owner}/{repo}"), 2);
    for path in ["/acme/shop", "/acme/missing"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!answer.body.contains("acme"), "{}", answer.body);
    }
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_by_signing_out_on_every_replica_and_after_eight_hours() {
    let (world, client) = world().await;
    populate(&world).await;
    sign_in(&world, &client, "member").await;
    let token = async || {
        let page = client.get("/acme/shop").await.body;
        page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (token, other) = (token().await, token().await);
    assert_ne!(token, other, "a form's token is masked anew for each page");
    let origin = format!("http://{}", world.web.unwrap());
    let out = |token: &str, origin: &str, site: &str| {
        let (body, origin, site) = (format!("token={token}"), origin.to_owned(), site.to_owned());
        let client = &client;
        async move { client.post("/logout", &body, &[("origin", &origin), ("sec-fetch-site", &site)]).await }
    };
    // Whoever has another person's edition gets a page of their own.
    let theirs = client.get("/acme/open").await.header("etag").to_owned();
    let stranger = Client::new(world.web.unwrap());
    sign_in(&world, &stranger, "reader").await;
    let own = stranger.get_with("/acme/open", &[("if-none-match", &theirs)]).await;
    assert_eq!(own.status, StatusCode::OK);
    // Another site can have the form sent, but neither knows the token nor is this origin.
    for answer in [
        out("", &origin, "same-origin").await,
        out("0123456789abcdef0123456789abcdef", &origin, "same-origin").await,
        out(&token, "https://evil.example", "same-origin").await,
        out(&token, &origin, "cross-site").await,
    ] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(client.send(Method::GET, "/logout", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
    let stolen = client.cookies();
    world.run(SignedDuration::from_secs(1)).await;
    let answer: Answer = out(&token, &origin, "same-origin").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/login"));
    assert!(client.cookies().is_empty(), "{}", client.cookies());
    let answer = client.get_with("/acme/shop", &[("cookie", &stolen)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "a copy of the cookie is worth nothing");

    world.run(SignedDuration::from_secs(1)).await;
    sign_in(&world, &client, "member").await;
    world.run(SignedDuration::from_hours(7)).await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::OK);
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(client.get("/acme/shop").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_sign_in_ends_only_where_it_began() {
    let (world, client) = world().await;
    let begin = async || {
        client.forget_cookies();
        let begun = client.get("/login/github?to=https%3A%2F%2Fevil.example").await;
        let cookie = begun.header("set-cookie").to_owned();
        for part in ["__Host-phasebot-sign-in=", "; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        client.follow(begun.header("location")).await.header("location").to_owned()
    };
    // With another state, without one's own cookie, twice.
    let back = begin().await;
    let wrong = path_of(&back).replace("state=", "state=x");
    assert_eq!(client.get(&wrong).await.status, StatusCode::BAD_REQUEST);
    let cookies = client.cookies();
    client.forget_cookies();
    assert_eq!(client.get(path_of(&back)).await.status, StatusCode::BAD_REQUEST);
    let done = client.get_with(path_of(&back), &[("cookie", &cookies)]).await;
    // Never to another site.
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, "/"));
    let again = client.get_with(path_of(&back), &[("cookie", &cookies)]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    // Too late.
    let back = begin().await;
    world.run(SignedDuration::from_mins(11)).await;
    assert_eq!(client.get(path_of(&back)).await.status, StatusCode::BAD_REQUEST);
    // Nothing of it is in an address that leads elsewhere: the verifier stays here.
    let begun = client.get("/login/github").await;
    let address = begun.header("location");
    for part in [
        "client_id=Iv23liTEST",
        "code_challenge_method=S256",
        "code_challenge=",
        "state=",
        "redirect_uri=http%3A%2F%2F127%2E0%2E0%2E1",
    ] {
        assert!(address.contains(part), "{address}");
    }
}

#[tokio::test]
async fn whoever_asks_too_often_waits() {
    let (world, client) = world().await;
    populate(&world).await;
    sign_in(&world, &client, "member").await;
    let mut refused = 0;
    for _ in 0..130 {
        let answer = client.get("/about").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.header("retry-after"), "5");
            refused += 1;
        }
    }
    assert!(refused >= 10, "{refused}");
    world.run(SignedDuration::from_secs(10)).await;
    assert_eq!(client.get("/about").await.status, StatusCode::OK);
    // Whoever began nothing keeps nobody else from signing in.
    for _ in 0..100 {
        let answer = client.get("/callback?code=made-up&state=made-up").await;
        assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    }
    // Sign-ins that began are bounded, all people's together.
    let mut last = StatusCode::OK;
    for _ in 0..61 {
        let begun = client.get("/login/github").await;
        let to = begun.header("location").to_owned();
        let state = to.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap();
        last = client.get(&format!("/callback?code=wrong&state={state}")).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
