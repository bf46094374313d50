"""Pages that change a guest's hardware, without a script."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from guests.models import Guest
from hosts.models import Volume
from kvmweb.operations.models import Operation
from kvmweb.virt.xml.domain import Domain
from tests.guests.hardware.conftest import OFF, Bench

MIB = 1024**2


def sent(browser: Client, guest: Guest, page: str, **fields: Any) -> Any:
    """The page's form as a browser would send it, with these fields changed."""
    address = f"{guest.get_absolute_url()}{page}"
    shown = browser.get(address)
    assert shown.status_code == 200, shown.content
    form = shown.context["form"]
    page_as_shown = shown.content.decode()
    assert all(f'name="{field.html_name}"' in page_as_shown for field in form)
    told = {
        field.html_name: value
        for field in form
        if (value := field.value()) is not None and value is not False
    }
    return browser.post(address, told | fields)


def last(bench: Bench) -> Operation:
    """The operation that was just asked for, done by a worker."""
    from kvmweb.operations import tasks

    operation = Operation.objects.order_by("-created_at")[0]
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    bench.look()
    assert operation.state == "succeeded", operation.error_message
    return operation


def test_only_what_was_changed_in_the_form_is_asked_for(
    bench: Bench, web: Guest, as_operator: Client
) -> None:
    answer = sent(as_operator, web, "hardware/", memory="1.5 GiB")
    assert answer["Location"] == f"{web.get_absolute_url()}#hardware"
    operation = last(bench)
    assert operation.params["hardware"] == {"memory_bytes": 1536 * MIB}
    page = as_operator.get(web.get_absolute_url()).content.decode()
    assert "Memory 512 MiB → 1.5 GiB" in page
    assert "Take these changes back" in page
    answer = as_operator.post(f"{web.get_absolute_url()}pending/revoke/")
    assert answer.status_code == 302
    last(bench)
    page = as_operator.get(web.get_absolute_url()).content.decode()
    assert "Take these changes back" not in page


def test_what_is_wrong_in_a_form_is_said_and_nothing_typed_is_lost(
    bench: Bench, off: Guest, as_operator: Client
) -> None:
    answer = sent(as_operator, off, "hardware/", memory="much", boot="vdz")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Write a size" in page
    assert 'value="much"' in page
    answer = sent(as_operator, off, "hardware/", boot="vdz")
    assert answer.status_code == 422
    assert "no disk or network card" in answer.content.decode()
    assert not Operation.objects.exists()


def test_a_disk_is_added_grown_and_taken_out(
    bench: Bench, off: Guest, as_operator: Client
) -> None:
    spare = Volume.objects.get(name="spare.qcow2")
    shown = as_operator.get(f"{off.get_absolute_url()}disks/new/").content.decode()
    assert "spare.qcow2" in shown
    assert "web.qcow2" not in shown
    sent(as_operator, off, "disks/new/", volume=str(spare.pk))
    last(bench)
    doc = Domain.parse(bench.documents(OFF).config)
    assert [disk.target for disk in doc.disks] == ["vda", "vdb", "hda"]
    answer = sent(as_operator, off, "disks/vdb/", size="1 KiB")
    assert answer.status_code == 422
    sent(as_operator, off, "disks/vdb/", cache="none", total_iops="50")
    operation = last(bench)
    assert operation.params["change"] == {"cache": "none", "limits": {"total_iops": 50}}
    sent(as_operator, off, "disks/vdb/remove/", volume="keep")
    last(bench)
    assert len(Domain.parse(bench.documents(OFF).config).disks) == 2


def test_a_cd_is_put_in(bench: Bench, off: Guest, as_operator: Client) -> None:
    iso = Volume.objects.get(name="rescue.iso")
    sent(as_operator, off, "cdrom/", volume=str(iso.pk))
    last(bench)
    page = as_operator.get(off.get_absolute_url()).content.decode()
    assert "/pool/rescue.iso" in page


def test_a_network_card_is_added_changed_and_taken_out(
    bench: Bench, off: Guest, as_operator: Client
) -> None:
    sent(as_operator, off, "nics/new/", network="lab", model="e1000e")
    mac = last(bench).result["mac"]
    sent(as_operator, off, f"nics/{mac}/", network="lan")
    assert last(bench).params["change"] == {"network": "lan", "bridge": ""}
    sent(as_operator, off, f"nics/{mac}/remove/")
    last(bench)
    assert len(Domain.parse(bench.documents(OFF).config).nics) == 1


def test_versions_are_read_and_restored(
    bench: Bench, off: Guest, as_operator: Client
) -> None:
    sent(as_operator, off, "hardware/", vcpus="3", vcpus_max="3")
    last(bench)
    page = as_operator.get(off.get_absolute_url()).content.decode()
    assert "vCPUs 1 → 3" in page
    shown = as_operator.get(f"{off.get_absolute_url()}revisions/2/").content.decode()
    assert "vCPUs 1 → 3" in shown
    assert "in force" in shown
    shown = as_operator.get(f"{off.get_absolute_url()}revisions/1/").content.decode()
    assert "Restore this version" in shown
    as_operator.post(f"{off.get_absolute_url()}revisions/1/restore/")
    last(bench)
    assert Domain.parse(bench.documents(OFF).config).vcpus == 1
    answer = as_operator.get(f"{off.get_absolute_url()}revisions/77/")
    assert answer.status_code == 404


def test_a_document_is_reviewed_then_defined_with_the_password(
    bench: Bench, off: Guest, as_admin: Client
) -> None:
    address = f"{off.get_absolute_url()}xml/"
    form = as_admin.get(address).context["form"]
    told = {"xml": form["xml"].value(), "edited": form["edited"].value()}
    told["xml"] = told["xml"].replace(">1</vcpu>", ">3</vcpu>").replace("\n", "\r\n")
    told["xml"] = told["xml"].replace(
        "<devices>", "<devices><emulator>/tmp/&lt;b></emulator>"
    )
    review = as_admin.post(address, told | {"step": "review"}).content.decode()
    assert "vCPUs 1 → 3" in review
    assert "/tmp/&lt;b&gt; as its emulator" in review
    assert not Operation.objects.exists()
    wrong = as_admin.post(address, told | {"step": "define", "password": "no"})
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.content.decode()
    told["password"] = "a long enough word"
    answer = as_admin.post(address, told | {"step": "define"})
    assert answer.status_code == 302, answer.content
    last(bench)
    assert Domain.parse(bench.documents(OFF).config).vcpus == 3
    broken = as_admin.post(address, told | {"xml": "<domain", "step": "review"})
    assert broken.status_code == 422
    assert "not well-formed" in broken.content.decode()


def test_who_may_not_change_a_guest_is_offered_nothing(
    bench: Bench, off: Guest, as_user: Client, as_operator: Client, user: Any
) -> None:
    Guest.objects.filter(pk=off.pk).update(owner=user)
    page = as_user.get(off.get_absolute_url()).content.decode()
    assert "Add a disk" not in page
    assert "Take out" not in page
    page = as_operator.get(off.get_absolute_url()).content.decode()
    assert "Add a disk" in page
    assert f"{off.get_absolute_url()}xml/" not in page
    assert as_operator.get(f"{off.get_absolute_url()}xml/").status_code == 403


def test_the_page_costs_the_same_queries_with_everything_in_it(
    bench: Bench,
    web: Guest,
    as_admin: Client,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    as_admin.get(web.get_absolute_url())
    with CaptureQueriesContext(connection) as before:
        as_admin.get(web.get_absolute_url())
    pool = bench.host.pools.get()
    Volume.objects.bulk_create(
        Volume(pool=pool, name=f"v{n}", key=f"v{n}", path=f"/pool/v{n}")
        for n in range(50)
    )
    web.disks = [web.disks[0] | {"target": f"vd{n}"} for n in range(9)]
    web.save()
    with django_assert_num_queries(len(before)):
        as_admin.get(web.get_absolute_url())
