"""Which settings make metrics comparable, and what is reported where they differ."""

import pytest

from examples_utils.history.settings import (
    IDENTITIES,
    comparable,
    differing_settings,
    shown_digest,
    unknown_identities,
)

AB, CD = "ab12" * 16, "cd34" * 16
OLD = {"threads": "2", "data_mode": "real"}
NEW = OLD | {
    "image_files": f"20 (sha256:{AB})",
    "weights_digest": f"sha256:{AB}",
    "exported_model": f"sha256:{AB}",
}


def test_equal_settings_are_comparable() -> None:
    assert comparable(NEW, dict(NEW))
    assert differing_settings(NEW, dict(NEW)) == ""


@pytest.mark.parametrize("key", IDENTITIES)
def test_another_identity_of_the_input_is_not_comparable_and_is_named(key: str) -> None:
    one, other = OLD | {key: f"sha256:{AB}"}, OLD | {key: f"sha256:{CD}"}
    assert not comparable(one, other)
    assert differing_settings(one, other) == f"other {IDENTITIES[key]}: ab12ab12… in the base, cd34cd34… now"


def test_other_images_are_named_with_their_number() -> None:
    other = NEW | {"image_files": f"21 (sha256:{CD})"}
    text = differing_settings(NEW, other, "earlier", "in the last run")
    assert text == "other images: 20 (ab12ab12…) earlier, 21 (cd34cd34…) in the last run"


def test_other_inputs_are_named_before_other_settings() -> None:
    other = NEW | {"threads": "1", "weights_digest": "random, version 1, seed 0"}
    assert differing_settings(NEW, other) == (
        "other weights: ab12ab12… in the base, random, version 1, seed 0 now; threads 2 in the base, 1 now"
    )


def test_an_identity_that_one_side_lacks_is_unknown_and_does_not_count() -> None:
    assert comparable(OLD, NEW)
    assert comparable(NEW, OLD)
    assert differing_settings(OLD, NEW) == ""
    assert unknown_identities(OLD, NEW) == "images, weights, exported model unknown in the base"
    assert unknown_identities(NEW, OLD) == "images, weights, exported model unknown now"
    assert unknown_identities(NEW, NEW) == ""
    assert unknown_identities({}, NEW) == ""  # of a tool that reports no settings, or of the original runner


def test_another_setting_counts_also_where_an_identity_is_unknown() -> None:
    assert not comparable(OLD | {"threads": "1"}, NEW)
    assert not comparable(OLD | {"hint": "LATENCY"}, NEW)  # one that a side lacks, but which is no identity
    assert differing_settings(OLD | {"threads": "1"}, NEW) == "threads 1 in the base, 2 now"


def test_only_digests_are_shortened() -> None:
    assert shown_digest(f"20 (sha256:{AB})") == "20 (ab12ab12…)"
    assert shown_digest(f"sha256:{AB}:model_ema") == "ab12ab12…:model_ema"
    assert shown_digest("bfloat16, 2 threads") == "bfloat16, 2 threads"


def test_the_state_of_the_model_cache_counts_only_for_metrics_of_the_start() -> None:
    hit, miss = OLD | {"model_cache": "hit"}, OLD | {"model_cache": "miss"}
    assert comparable(hit, miss)
    assert comparable(hit, miss, "throughput")
    assert not comparable(hit, miss, "compile_time")
    assert comparable(OLD, miss, "compile_time")  # a record from before the state was a setting
    assert not comparable(hit, miss | {"threads": "1"}, "throughput")
    assert differing_settings(hit, miss) == ""
