//! The notice editor: it saves by itself, shows how it will look, and loses nothing.

use crate::site::{PUBLISHER, example};
use crate::tab::Tab;

async fn status(tab: &Tab, begins: &str) -> String {
    tab.wait(&format!("document.querySelector('#save-status').textContent.startsWith({begins:?})")).await;
    tab.text("#save-status").await
}

/// Adds to the text, as somebody who types.
async fn write(tab: &Tab, words: &str) {
    let script = format!(
        "(() => {{ const area = document.querySelector('#markdown-en'); area.value += {words:?};
         area.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()"
    );
    tab.eval::<bool>(&script).await;
}

#[tokio::test]
async fn the_editor_saves_by_itself_and_loses_nothing() {
    let site = example().await;
    let mut tab = site.signed_in(PUBLISHER).await;
    tab.open("/publishing/new").await;
    tab.click("input[value=paused] + button").await;
    tab.wait("location.pathname.endsWith('/edit') && document.readyState === 'complete'").await;
    write(&tab, "\n## Written today\n").await;
    tab.wait("document.querySelector('#preview').innerText.includes('Written today')").await;
    let saved = status(&tab, "Saved").await;
    assert!(saved.len() == "Saved 10:42".len(), "{saved}");
    let _ = tab.complaints().await;

    // Without a connection it says so, keeps the text, and tries again.
    tab.eval::<bool>("(window.real = fetch, window.fetch = () => Promise.reject(new Error('off')), true)")
        .await;
    write(&tab, "Offline words.").await;
    let lost = status(&tab, "Not saved: no connection").await;
    assert!(lost.contains("still here"), "{lost}");
    tab.eval::<bool>("(window.fetch = window.real, window.dispatchEvent(new Event('online')), true)").await;
    status(&tab, "Saved").await;

    // Another tab was faster: nothing is overwritten, and nothing that was typed is lost.
    let elsewhere = "(async () => { const form = document.querySelector('form[data-autosave]');
        const data = new URLSearchParams(new FormData(form)); data.set('title-en', 'From elsewhere');
        const answer = await fetch(form.dataset.autosave, { method: 'POST', body: data });
        return answer.status; })()";
    assert_eq!(tab.eval::<u16>(elsewhere).await, 200);
    write(&tab, "Mine.").await;
    status(&tab, "Not saved: somebody else").await;
    tab.click("button[value=save]").await;
    tab.wait("document.querySelector('#newest') && document.readyState === 'complete'").await;
    let kept: String = tab.eval("document.querySelector('#markdown-en').value").await;
    assert!(kept.contains("Offline words.") && kept.contains("Mine."), "{kept}");
    tab.click("button[value=save]").await;
    tab.wait("location.search.includes('done=notice-saved') && document.readyState === 'complete'").await;
    let stored: String = tab.eval("document.querySelector('#markdown-en').value").await;
    assert!(stored.contains("Mine."), "{stored}");
    tab.close().await;
}
