"""The operator looks at a month of the books, takes it along, and sets the chart of accounts."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.async_api import Dialog, Page, expect

from backend_client.types.accounting import BookTerms, BookTermsPut, ChartOfAccounts
from backend_client.types.wallets import CreditGrantCreate, CreditKind
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.support.waiting import until

pytestmark = pytest.mark.browser


async def test_a_month_is_looked_at_and_taken_along(farebox: Farebox, page: Page) -> None:
    async with person_at(farebox) as person:
        tenant = (await person.me.get()).tenant
        sold = CreditGrantCreate(
            name="For the books", kind=CreditKind.PAID, amount=Decimal("12.34")
        )
        grant = await person.wallet.grants.create(sold, tenant=tenant.id)
    month = f"{datetime.now(UTC):%Y-%m-01}"
    await visit(page, "Accounting")
    await expect(page.get_by_role("heading", name="Journal", level=2)).to_be_visible()
    await page.goto(f"/accounting/?month={month}&customer={tenant.id}")
    revenue = page.locator("#revenue tbody tr").filter(has_text="Prepaid credit")
    await expect(revenue).to_be_visible()
    journal = page.locator("#journal")
    await expect(journal).to_contain_text("Credit sold: For the books")
    await expect(journal.locator("tr").filter(has_text=grant.id)).to_contain_text("$12.34")
    # An entry's second line has no name, and no header that would be read out as one
    assert await journal.locator("tbody tr").count() > 1
    assert all(name.strip() for name in await journal.get_by_role("rowheader").all_inner_texts())
    await expect(page.get_by_role("combobox", name="Customer")).to_have_text(tenant.name)

    address = await page.get_by_role("link", name="Journal as CSV").get_attribute("href")
    answer = await page.request.get(f"{farebox.url}{address}")
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    [debit] = [row for row in rows if row["reference"] == grant.id and row["debit"]]
    assert (debit["debit"], debit["tenant"]) == ("12.34", tenant.id)
    # DATEV needs what is not set: it is said, and nothing is downloaded
    address = await page.get_by_role("link", name="Journal as DATEV").get_attribute("href")
    answer = await page.request.get(f"{farebox.url}{address}")
    assert (answer.status, "datev" in await answer.text()) == (409, True)


async def test_the_chart_of_accounts_is_set_and_put_back(farebox: Farebox, page: Page) -> None:
    async with person_at(farebox) as person:
        held = await person.accounting.terms()
        own = BookTerms(accounts=ChartOfAccounts(bad_debt="2400"))
        held = await person.accounting.set_terms(BookTermsPut(terms=own, revision=held.revision))
        await visit(page, "Accounting")
        rows = page.locator("#chart tbody tr")
        cash = rows.filter(has=page.get_by_role("button", name="Change Cash", exact=True))
        unsaved = page.locator("#unsaved")
        form = page.get_by_role("dialog")

        # By keyboard; what can't be used is said at its field
        change = page.get_by_role("button", name="Change Cash", exact=True)
        await change.press("Enter")
        account = form.get_by_label("Account", exact=True)
        await expect(account).to_have_value("Cash")
        await account.fill(" ")
        await account.press("Enter")
        await expect(account).to_have_attribute("aria-invalid", "true")
        await expect(form.locator("#chart-account-problem")).to_contain_text("Write an account")
        await account.fill("1200")
        await account.press("Enter")
        await expect(form).to_be_hidden()
        await expect(change).to_be_focused()
        await expect(cash).to_contain_text("Not saved: was Cash")
        await expect(unsaved).to_contain_text("1 change is not saved")

        add = page.get_by_role("button", name="Add an account")
        await add.press("Enter")
        await expect(form).to_be_visible()
        await form.press("Escape")
        await expect(add).to_be_focused()
        await add.click()
        await form.get_by_label("Name").fill("stripe")
        await form.get_by_label("Account", exact=True).fill("1361")
        await form.get_by_role("button", name="Add", exact=True).click()
        await expect(unsaved).to_contain_text("2 changes are not saved")
        # The books are as they were, and who goes is asked first
        assert (await person.accounting.terms()).terms == own
        questions: list[str] = []

        async def stay(question: Dialog) -> None:
            questions.append(question.message)
            await question.dismiss()

        page.on("dialog", stay)

        async def was_asked() -> bool:
            return bool(questions)

        await page.get_by_role("link", name="Customers", exact=True).first.click()
        await until(was_asked)
        await expect(unsaved).to_be_visible()
        assert [question[:15] for question in questions] == ["Leave the page?"]

        # Somebody else saves in the meantime: theirs stays, and the changes too
        theirs = BookTerms(accounts=own.accounts.model_copy(update={"tax": "1776"}))
        wanted = BookTermsPut(terms=theirs, revision=held.revision)
        held = await person.accounting.set_terms(wanted)
        await page.get_by_role("button", name="Save…").click()
        await expect(form).to_contain_text("past months too")
        await form.get_by_role("button", name="Save", exact=True).click()
        await expect(form.get_by_role("alert")).to_contain_text("Somebody has changed")
        await form.get_by_role("button", name="Save", exact=True).click()
        await expect(form).to_be_hidden()
        await expect(page.locator("#accounts")).to_contain_text("Saved.")
        # The button that was pressed is gone
        await expect(page.get_by_role("region", name="What was done")).to_be_focused()
        await expect(unsaved).to_be_hidden()
        kept = (await person.accounting.terms()).terms.accounts
        assert (kept.cash, kept.cash_by_method) == ("1200", {"stripe": "1361"})
        assert (kept.tax, kept.bad_debt) == ("1776", "2400")

        await page.get_by_role("button", name="Change Cash: stripe").click()
        await form.get_by_role("button", name="Remove").click()
        await expect(unsaved).to_contain_text("1 change is not saved")
        await page.get_by_role("button", name="Reset all").click()
        await expect(unsaved).to_contain_text("4 changes are not saved")
        await page.get_by_role("button", name="Discard").click()
        await expect(unsaved).to_be_hidden()
        await page.get_by_role("button", name="Reset all").click()
        await page.get_by_role("button", name="Save…").click()
        await form.get_by_role("button", name="Save", exact=True).click()
        await expect(page.locator("#accounts")).to_contain_text("Saved.")
        assert (await person.accounting.terms()).terms == BookTerms()
