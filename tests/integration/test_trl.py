"""Log-probabilities against TRL's own DPO trainer, on the same models and pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import rmeval
from rmeval.protocols.pointwise import conversation_requests

SIZE = 16


@pytest.mark.filterwarnings("ignore")
def test_sums_of_log_probs_are_those_of_trl(shared: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    models = shared / "fixtures" / "models"
    policy, reference = models / "tiny-policy", models / "tiny-ref"
    items = list(rmeval.load_benchmark("rm-bench", str(shared / "data" / "rm-bench" / "chat_filtered.json")).load())
    pairs = [(item, style) for item in items[:SIZE] for style in range(3)]
    rows = [
        {
            "prompt": [{"role": m.role, "content": m.content} for m in item.prompt],
            "chosen": [{"role": "assistant", "content": item.responses[style].text}],
            "rejected": [{"role": "assistant", "content": item.responses[3 + style].text}],
        }
        for item, style in pairs
    ]
    networks = [AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval() for path in (policy, reference)]
    trainer = trl.DPOTrainer(
        model=networks[0],
        ref_model=networks[1],
        args=trl.DPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, max_length=None, report_to=[]),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(policy),
    )
    prepared = trainer.train_dataset
    expected = []
    for start in range(0, len(prepared), 4):
        batch = trainer.data_collator([prepared[k] for k in range(start, min(start + 4, len(prepared)))])
        sums = [trainer.compute_ref_log_probs(network.eval(), batch) for network in networks]
        expected += torch.stack([torch.stack(own, 1) for own in sums], 2).tolist()

    model = rmeval.load_model(str(policy), ref_model=str(reference), dtype="float32")
    requests = conversation_requests([item.conversation(style + side) for item, style in pairs for side in (0, 3)])
    seen = {one.key: one.values for batch in model.observe(requests) for one in batch}
    own = np.array([seen[request.key]["ref_free/sum"] for request in requests])
    ratio = np.array([seen[request.key]["dpo/sum"] for request in requests])
    theirs = np.array(expected).reshape(-1, 2)
    assert np.abs(own / theirs[:, 0] - 1).max() < 2e-6
    assert np.abs((own - ratio) / theirs[:, 1] - 1).max() < 2e-6
