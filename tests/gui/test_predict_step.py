def test_a_run_ends_with_an_overlay(dock):
    pass


def test_2(open_dock):
    pass
