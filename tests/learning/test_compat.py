from mdl.learning.compat import import_torchvision_datasets


def test_the_data_sets_of_torchvision_can_be_imported_and_imported_again() -> None:
    module = import_torchvision_datasets()
    assert module is import_torchvision_datasets()
    assert callable(module.MNIST)
