"""A seeded city: cases, departments' answers, credit and liaisons, invented and repeatable.

``python -m adapters.sandbox.world --seed S --cases N --city-dir config/yiyang --out DIR`` writes
the files the simulators play. The same seed, number and city give the same bytes.

Nothing in a world can belong to anybody, and everything in it passes the checks real data passes:

* credit codes carry an organisation body in PDY00001–PDY99999, which GB 11714 sets aside for
  private numbering and never assigns; both check digits hold;
* id numbers begin with 710000, which is in GB/T 2260 but is no place of issue (residents of
  Taiwan get 830000, and on the mainland nobody is registered there);
* mobile numbers begin with 154, which no operator was allotted;
* names of people, firms and streets carry the character 拟 (drafted).
"""
