"""The flows that cross the ports: decisions are made below, here they are put in order around the awaits."""
