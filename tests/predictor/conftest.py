import pytest

from predictor.knowledge import Knowledge
from predictor.training import train
from tests.predictor import synthetic


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """Learned from the synthetic law: 120 networks, every operator."""
    return train(synthetic.TARGET, synthetic.networks(120, seed=1), synthetic.operators())
