"""Two tabs, two clicks and a broken connection: nothing is lost, and nothing is made twice."""

from urllib.parse import urlsplit

from selenium.webdriver import ActionChains

from tests.common.proxy import HOST, Proxy
from tests.common.spa import Spa


def test_change_in_one_tab_appears_in_the_other_and_a_stale_one_is_a_conflict(spa: Spa):
    spa.new_account()
    spa.add_job("Acme", "Engineer")
    spa.open_job("Acme")
    spa.wait_for("#polls", "304 ")
    other = spa.new_tab()
    spa.open_job("Acme")
    spa.fill("#add-note", body="From the other tab")
    spa.wait_for("#notes li", "From the other tab")

    other = spa.switch_to(other)
    spa.wait_for("#notes li", "From the other tab")
    spa.enter("#edit-job [name=location]", "Vienna")  # not saved yet
    other = spa.switch_to(other)
    spa.fill("#edit-job", job_title="Principal")
    spa.message("Saved.")
    spa.switch_to(other)
    spa.click("#edit-job button", "Save")
    spa.wait_for("#conflict p", "Acme: Principal, applied")
    spa.picture("conflict")
    spa.click("#take-theirs")
    spa.wait_until_gone("#conflict")
    assert spa.wait_for("#edit-job [name=location]").get_attribute("value") == ""
    spa.fill("#edit-job", location="Vienna")
    spa.message("Saved.")
    (job,) = spa.api("/jobs")
    assert (job["job_title"], job["location"]) == ("Principal", "Vienna")


def test_sign_out_in_one_tab_opens_the_sign_in_page_of_the_other(spa: Spa):
    spa.new_account()
    other = spa.new_tab()
    spa.click("#sign-out")
    spa.message("Logged out")
    spa.switch_to(other)
    spa.wait_for("#sign-in")
    spa.wait_for("#message.error")


def test_double_click_makes_one_job(spa: Spa):
    spa.new_account()
    spa.enter("#add-job [name=company_name]", "Acme")
    spa.enter("#add-job [name=job_title]", "Engineer")
    ActionChains(spa.browser).double_click(spa.wait_for("#add-job button")).perform()
    spa.wait_for("#columns a", "Acme: Engineer")
    posts = [each for each in spa.requests() if each == ("POST", f"{spa.api_url}/jobs")]
    assert len(posts) >= 2
    assert len(spa.api("/jobs")) == 1


def test_job_whose_response_was_lost_is_made_once(spa: Spa, spa_origin: str):
    email = spa.new_account()
    address = urlsplit(spa.api_url)
    assert address.port
    with Proxy((HOST, address.port)) as proxy:
        spa.browser.get(f"{spa_origin}/?api={proxy.url}")
        spa.wait_for("#board")
        spa.add_job("Acme", "Engineer")
        proxy.cut(after=1)
        spa.fill("#add-job", company_name="Nova", job_title="Ops")
        spa.message("cannot be reached", is_error=True)
        spa.picture("offline")
        assert [job["company_name"] for job in spa.api("/jobs")] == ["Nova", "Acme"]
        proxy.refuse()
        spa.fill("#add-job", company_name="Third", job_title="Dev")
        proxy.forward()
        spa.wait_for("#columns a", "Nova: Ops")
        spa.wait_for("#columns a", "Third: Dev")
        spa.wait_until_gone("#message.error")
        names = sorted(job["company_name"] for job in spa.api("/jobs"))
        assert names == ["Acme", "Nova", "Third"], email
